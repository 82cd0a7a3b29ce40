"""The commands `exec`, `shell` and `port-forward`, with an engine in memory."""

import socket
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from riseml.engines.access import Command, Outcome
from riseml.status import JobStatus, SetStatus
from tests.cli.conftest import Riseml
from tests.cli.fake_engine import FakeEngine, single


@dataclass
class FakeAccess:
    """A job in which commands end with status 7, and which ends after one wait."""

    commands: list[Command] = field(default_factory=list)
    remarks: dict[int, str] = field(default_factory=dict)
    interrupt: bool = False
    shares_network: bool = False

    def run(self, command: Command) -> Outcome:
        self.commands.append(command)
        return Outcome(7, job_ended=True)

    def remark(self, port: int) -> str:
        return self.remarks.get(port, "")

    def pass_on(self, client: socket.socket, port: int) -> None:
        raise AssertionError(port)

    def wait(self, seconds: float) -> bool:
        if self.interrupt:
            raise KeyboardInterrupt
        return seconds > 0

    def close(self) -> None:
        """Do nothing."""


@pytest.fixture
def access(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> FakeAccess:
    engine.runs.append(single(14))
    fake = FakeAccess()

    def reach(run: SetStatus, job: JobStatus) -> FakeAccess:
        assert (run.id, job.id) == ("14", "14.train")
        return fake

    monkeypatch.setattr(engine, "access", reach, raising=False)
    return fake


@pytest.mark.parametrize(
    ("words", "argv", "tty"),
    [
        (["exec", "14", "--", "ls", "-l", "--", "x"], ("ls", "-l", "--", "x"), None),
        (["exec", "14", "ls"], ("ls",), None),
        (["exec", "-t", "14", "--", "top"], ("top",), True),
        (["exec", "14", "--no-tty", "--", "top"], ("top",), False),
        (["exec", "14.train", "--", "echo", "--debug"], ("echo", "--debug"), None),
        (["shell", "14"], (), None),
        (["shell", "-T", "14.train"], (), False),
    ],
)
def test_the_words_after_the_dashes_are_the_command(
    riseml: Riseml,
    access: FakeAccess,
    words: Sequence[str],
    argv: tuple[str, ...],
    tty: bool | None,
) -> None:
    result = riseml(*words)
    assert result.status == 7
    (command,) = access.commands
    assert (command.argv, command.tty) == (argv, tty)
    subject = "this command" if argv else "this shell"
    assert result.err == f"riseml: 14.train has ended, and {subject} with it\n"


@pytest.mark.usefixtures("access")
def test_exec_needs_a_command(riseml: Riseml) -> None:
    result = riseml("exec", "14")
    assert result.status == 2
    assert result.err == (
        "riseml: error: `riseml exec` needs a command\n"
        "`riseml exec 14 -- ls` lists the job's files, `riseml shell 14` starts a shell.\n"
    )


@pytest.mark.usefixtures("access")
def test_port_forward_shows_addresses_until_the_job_ends(
    riseml: Riseml, monkeypatch: pytest.MonkeyPatch, access: FakeAccess
) -> None:
    monkeypatch.setenv("LANG", "C.UTF-8")
    access.remarks[6006] = "14.train does not listen on port 6006 yet"
    result = riseml("port-forward", "14", ":8888", ":6006")
    assert result.status == 0
    first, second = result.out.splitlines()
    assert first.startswith("127.0.0.1:")
    assert first.endswith(" → 14.train:8888")
    assert second.endswith(" → 14.train:6006")
    assert result.err == (
        "riseml: 14.train does not listen on port 6006 yet\n"
        "Press Ctrl-C to stop it.\n"
        "riseml: 14.train has ended\n"
    )


def test_ctrl_c_ends_port_forward(
    riseml: Riseml, access: FakeAccess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", "C")
    access.interrupt = access.shares_network = True
    result = riseml("port-forward", "14", "8888")
    assert (result.status, result.out) == (0, "127.0.0.1:8888 -> 14.train:8888\n")
    assert result.err == (
        "14.train has the network of this machine, so its port 8888 needs no forwarding.\n"
        "Press Ctrl-C to stop it.\n\n"
    )


@pytest.mark.usefixtures("access")
def test_a_port_that_is_none_is_refused(riseml: Riseml) -> None:
    result = riseml("port-forward", "14", "http")
    assert result.status == 2
    assert result.err.startswith("riseml: error: 'http' is not a port\n")
