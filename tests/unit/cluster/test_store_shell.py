"""Shell in the store: many scripts over one connection, each with its own output and exit status."""

from collections.abc import Iterator
from typing import Any, cast

import pytest

from riseml.cluster import store_shell
from riseml.cluster.command_error import CommandError
from riseml.cluster.pod_exec import Output
from riseml.cluster.store import StorePod
from riseml.cluster.store_shell import StoreShell
from riseml.errors import UnreachableError
from tests.unit.local_session import LocalSession


class Pod:
    api, namespace, pod = None, "riseml-me", "store-0"


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> Iterator[StoreShell]:
    LocalSession.opened = 0
    monkeypatch.setattr(store_shell, "Session", LocalSession)
    shell = StoreShell(cast(StorePod, Pod()))
    yield shell
    shell.close()


def test_scripts_share_one_connection(shell: StoreShell) -> None:
    assert shell.script('printf "%s|" "$@"', "a b", "it's", "") == b"a b|it's||"
    assert shell.script("cat", stdin=[b"one\n", b"two\n", b"\n"]) == b"one\ntwo\n\n\n"
    assert shell.script("printf 'no line break'") == b"no line break"
    assert LocalSession.opened == 1


def test_output_may_be_any_bytes(shell: StoreShell) -> None:
    assert shell.script(r"printf '\000\377\n\n 0\n'") == b"\x00\xff\n\n 0\n"
    received: list[bytes] = []
    assert shell.script("echo piece", on_output=received.append) == b""
    assert b"".join(received) == b"piece\n"


def test_a_script_that_fails_is_an_error_and_the_next_one_works(
    shell: StoreShell,
) -> None:
    with pytest.raises(CommandError) as caught:
        shell.script("echo before; echo no space >&2; sleep 0.1; exit 3")
    assert caught.value.status == 3
    assert str(caught.value) == "no space"
    assert shell.script("echo again") == b"again\n"


def test_errors_may_arrive_after_the_output(monkeypatch: pytest.MonkeyPatch) -> None:
    class Late(LocalSession):
        """Session whose standard error arrives when nothing else does any more."""

        def __init__(self, *arguments: Any, stdin: bool) -> None:
            super().__init__(*arguments, stdin=stdin)
            self.held: list[Output] = []

        def receive(self) -> Output | None:
            while True:
                if self.held and not self._outputs.select(0.3):
                    return self.held.pop(0)
                output = super().receive()
                if output is None or output.descriptor == 1:
                    return output
                self.held.append(output)

    monkeypatch.setattr(store_shell, "Session", Late)
    shell = StoreShell(cast(StorePod, Pod()))
    with pytest.raises(CommandError) as caught:
        shell.script("echo no space >&2; exit 3")
    assert (caught.value.status, caught.value.output) == (3, "no space\n")
    assert shell.script("echo again") == b"again\n"
    shell.close()


def test_a_script_does_not_read_the_next_one(shell: StoreShell) -> None:
    assert shell.script("cat") == b"\n"
    assert shell.script("echo next") == b"next\n"


def test_a_shell_that_has_ended_is_opened_again(shell: StoreShell) -> None:
    with pytest.raises(CommandError):
        shell.script("kill -9 $PPID; sleep 1")
    assert shell.script("echo again") == b"again\n"
    assert LocalSession.opened == 2


def test_the_last_script_gets_any_bytes_as_its_input(shell: StoreShell) -> None:
    assert shell.script("echo first") == b"first\n"
    content = bytes(range(256)) * 300
    received = shell.last_script("""printf '%s:' "$1"; cat""", "it's", stdin=[content])
    assert received == b"it's:" + content
    assert LocalSession.opened == 1
    # The shell has ended with it.
    assert shell.script("echo next") == b"next\n"
    assert LocalSession.opened == 2


def test_a_last_script_that_fails_says_why(shell: StoreShell) -> None:
    with pytest.raises(CommandError) as caught:
        shell.last_script("cat > /dev/null; echo disk full >&2; exit 7", stdin=[b"x"])
    assert (caught.value.status, str(caught.value)) == (7, "disk full")


def test_no_last_script_runs_in_a_shell_that_has_ended(shell: StoreShell) -> None:
    session = LocalSession(["sh", "-c", "exit 1"], stdin=True)
    shell._session = session  # type: ignore[assignment]
    with pytest.raises(UnreachableError):
        shell.last_script("cat", stdin=[b"x"])
