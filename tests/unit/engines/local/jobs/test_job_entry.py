"""Process that becomes a command in a job, as far as it does not replace the test process."""

import errno
import fcntl
import marshal
import os
import signal
import sys
from pathlib import Path

import pytest

from riseml.engines.local.jobs import job_entry


class _Exit(BaseException):
    """The end of the process."""


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
    """What the process does to itself."""
    recorded: list[tuple[object, ...]] = []

    def become(words: object, environment: object) -> None:
        recorded.append(("become", words, environment))

    def leave(status: int) -> None:
        raise _Exit(status)

    monkeypatch.setattr(job_entry, "become", become)
    monkeypatch.setattr(os, "chdir", lambda path: recorded.append(("chdir", path)))
    monkeypatch.setattr(os, "umask", lambda mask: recorded.append(("umask", mask)))
    monkeypatch.setattr(os, "_exit", leave)
    monkeypatch.setattr(
        fcntl, "ioctl", lambda *words: recorded.append(("ioctl", words[0]))
    )
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    return recorded


def start(monkeypatch: pytest.MonkeyPatch, entry: job_entry.Entry) -> None:
    reader, writer = os.pipe()
    with os.fdopen(writer, "wb") as pipe:
        pipe.write(marshal.dumps(entry))
    monkeypatch.setattr(sys, "argv", ["job_entry", str(reader)])
    job_entry.main()


def test_it_takes_everything_from_the_pipe(
    monkeypatch: pytest.MonkeyPatch, calls: list[tuple[object, ...]]
) -> None:
    environment = {"NAME": "odd \udcff\nvalue"}
    entry = (os.getpid(), ("ls", "-l"), environment, "/code", 0o027, False)
    start(monkeypatch, entry)
    assert calls == [
        ("chdir", "/code"),
        ("umask", 0o027),
        ("become", ("ls", "-l"), environment),
    ]
    start(monkeypatch, (*entry[:5], True))
    assert calls[-2] == ("ioctl", 0)


def test_a_job_that_cannot_be_entered_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
    calls: list[tuple[object, ...]],
    capfd: pytest.CaptureFixture[str],
) -> None:
    def fail(path: str) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)

    monkeypatch.setattr(os, "chdir", fail)
    with pytest.raises(_Exit) as end:
        start(monkeypatch, (os.getpid(), ("ls",), {}, "/code", 0, False))
    assert end.value.args == (126,)
    assert capfd.readouterr().err == (
        "riseml: the job cannot be entered: Permission denied\n"
    )
    assert calls == []


def test_namespaces_of_this_process_are_not_entered_again() -> None:
    user = Path("/proc/self/ns/user").readlink()
    job_entry.enter(os.getpid())
    assert Path("/proc/self/ns/user").readlink() == user


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (("nowhere",), 127, "the job has no command nowhere"),
        (("/etc",), 126, "the command /etc cannot be run: Permission denied"),
        (("a\0b",), 126, "a command cannot contain a NUL byte"),
    ],
)
def test_a_command_that_cannot_run_says_why(
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    status: int,
    message: str,
) -> None:
    def leave(code: int) -> None:
        raise _Exit(code)

    monkeypatch.setattr(os, "_exit", leave)
    with pytest.raises(_Exit) as end:
        job_entry.become(words, {"PATH": "/usr/bin:/bin"})
    assert end.value.args == (status,)
    assert capfd.readouterr().err == f"riseml: {message}\n"
