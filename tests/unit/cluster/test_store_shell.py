"""Shell in the store: many scripts over one connection, each with its own output and exit status."""

import subprocess
from collections.abc import Iterator
from typing import Any, cast

import pytest

from riseml.cluster import store_shell
from riseml.cluster.pod_exec import CommandError, Output
from riseml.cluster.store import StorePod
from riseml.cluster.store_shell import StoreShell


class LocalSession:
    """Session of `pod_exec` with a shell of this machine, whose output comes in small pieces."""

    opened = 0

    def __init__(self, *arguments: Any, stdin: bool) -> None:
        assert stdin
        LocalSession.opened += 1
        command = arguments[-1]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )
        self.status: int | None = None

    def send(self, data: bytes) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(data)

    def receive(self) -> Output | None:
        assert self._process.stdout is not None
        data = self._process.stdout.read(7)
        if data:
            return Output(1, data)
        self.status = self._process.wait()
        return None

    def close(self) -> None:
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            stream.close()
        self._process.wait()


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
        shell.script("echo before; exit 3")
    assert caught.value.status == 3
    assert shell.script("echo again") == b"again\n"


def test_a_script_does_not_read_the_next_one(shell: StoreShell) -> None:
    assert shell.script("cat") == b"\n"
    assert shell.script("echo next") == b"next\n"


def test_a_shell_that_has_ended_is_opened_again(shell: StoreShell) -> None:
    with pytest.raises(CommandError):
        shell.script("kill -9 $PPID; sleep 1")
    assert shell.script("echo again") == b"again\n"
    assert LocalSession.opened == 2
