"""Commands that run as children of this process, without a job: streams, signals, ends."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from riseml.engines.access import Command, Outcome, Streams
from riseml.engines.local import joined_command
from riseml.engines.local.jobs import bare, processes
from riseml.engines.local.jobs.job_process import JobProcess
from riseml.engines.local.joiners import ContainerJoiner, NamespaceJoiner

PATIENCE = 60.0


def joiner(*words: str, job_pid: int = 0) -> NamespaceJoiner:
    """Return the starter of a command in the namespaces of this process."""
    process = JobProcess(os.getpid(), {}, "/", 0o022)
    environment = {"PATH": os.environ["PATH"], "GREETING": "hello"}
    return NamespaceJoiner(job_pid or os.getpid(), process, words, environment)


@dataclass
class Files:
    """Streams that are files of a folder."""

    folder: Path
    stdin: bytes = b""
    opened: list[int] = field(default_factory=list)

    @property
    def streams(self) -> Streams:
        (self.folder / "in").write_bytes(self.stdin)
        self.opened = [
            os.open(self.folder / "in", os.O_RDONLY),
            os.open(self.folder / "out", os.O_RDWR | os.O_CREAT),
            os.open(self.folder / "err", os.O_RDWR | os.O_CREAT),
        ]
        return Streams(*self.opened)

    def read(self) -> tuple[bytes, bytes]:
        for descriptor in self.opened:
            os.close(descriptor)
        return (self.folder / "out").read_bytes(), (self.folder / "err").read_bytes()


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


class Screen:
    """A terminal whose other side reads and types."""

    def __init__(self) -> None:
        self._ours, self.theirs = os.openpty()
        self.text = b""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def streams(self) -> Streams:
        return Streams(self.theirs, self.theirs, self.theirs)

    def type_after(self, shown: bytes, typed: bytes) -> None:
        """Type once a text appears."""

        def wait() -> None:
            self.until(shown)
            os.write(self._ours, typed)

        threading.Thread(target=wait, daemon=True).start()

    def until(self, shown: bytes) -> None:
        limit = time.monotonic() + PATIENCE
        while shown not in self.text and time.monotonic() < limit:
            time.sleep(0.01)

    def close(self) -> None:
        os.close(self.theirs)
        self._reader.join(PATIENCE)
        os.close(self._ours)

    def _read(self) -> None:
        while True:
            try:
                self.text += os.read(self._ours, 4096)
            except OSError:
                return


@pytest.fixture
def screen() -> Iterator[Screen]:
    opened = Screen()
    yield opened
    opened.close()


def test_a_command_has_the_streams_of_its_caller(files: Files) -> None:
    files.stdin = b"\0input\xff"
    script = 'cat; echo "$GREETING from $PWD" >&2; exit 3'
    command = Command((), None, files.streams)
    assert joined_command.run(joiner("sh", "-c", script), command) == Outcome(3)
    assert files.read() == (b"\0input\xff", b"hello from /\n")


@pytest.mark.parametrize(
    ("words", "status", "errors"),
    [
        (("nowhere",), 127, b"riseml: the job has no command nowhere\n"),
        (("/",), 126, b"riseml: the command / cannot be run: Permission denied\n"),
        (("a\0b",), 126, b"riseml: a command cannot contain a NUL byte\n"),
    ],
)
def test_a_command_that_cannot_run_says_why(
    files: Files, words: Sequence[str], status: int, errors: bytes
) -> None:
    command = Command((), None, files.streams)
    assert joined_command.run(joiner(*words), command).status == status
    assert files.read() == (b"", errors)


def test_a_terminal_is_made_where_one_is_forced(files: Files) -> None:
    files.stdin = b"typed\n"
    command = Command((), True, files.streams)
    script = "tty; stty size; read -r line; echo $line; cat; exit 4"
    assert joined_command.run(joiner("sh", "-c", script), command) == Outcome(4)
    output, errors = files.read()
    lines = output.decode().splitlines()
    assert [line for line in lines if line.startswith("/dev/")]
    assert "24 80" in lines
    # The terminal echoes it, and the command writes it.
    assert lines.count("typed") == 2
    assert errors == b""


def test_no_terminal_is_passed_on_where_none_is_allowed(screen: Screen) -> None:
    script = "tty; read -r line; echo got $line; echo problem >&2; exit 6"
    screen.type_after(b"not a tty", b"text\n")
    command = Command((), False, screen.streams)
    assert joined_command.run(joiner("sh", "-c", script), command) == Outcome(6)
    # The two outputs are pipes, so either may be shown first.
    screen.until(b"problem")
    screen.until(b"got text")
    assert b"problem" in screen.text
    assert b"got text" in screen.text


def test_the_end_of_the_job_ends_the_command(files: Files) -> None:
    job = subprocess.Popen(["sleep", "1000"])
    command = Command((), None, files.streams)
    script = f"trap '' HUP; kill {job.pid}; sleep 1000 & wait"
    reaping = threading.Thread(target=job.wait)
    reaping.start()
    outcome = joined_command.run(joiner("sh", "-c", script, job_pid=job.pid), command)
    assert outcome == Outcome(128 + signal.SIGKILL, job_ended=True)
    files.read()
    reaping.join(PATIENCE)


def test_ends_are_noticed_without_descriptors_of_processes(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "pidfd", lambda pid: None)
    command = Command((), None, files.streams)
    assert joined_command.run(joiner("sh", "-c", "exit 2"), command) == Outcome(2)
    files.read()


def kill_after(job: "subprocess.Popen[bytes]", ready: Path) -> None:
    """Kill a process a moment after a file is there."""
    limit = time.monotonic() + PATIENCE
    while not ready.exists() and time.monotonic() < limit:
        time.sleep(0.01)
    time.sleep(0.3)
    job.kill()
    job.wait()


def test_a_command_that_dies_before_its_job_has_ended_with_it(files: Files) -> None:
    with subprocess.Popen(["sleep", "1000"]) as job:
        command = Command((), None, files.streams)
        outcome = joined_command.run(
            joiner("sh", "-c", "kill -KILL $$", job_pid=job.pid), command
        )
        assert outcome == Outcome(137, job_ended=False)
        # As at the end of a container, whose first process is the last to be gone.
        died = files.folder / "died"
        reaper = threading.Thread(target=kill_after, args=(job, died))
        reaper.start()
        killed = joined_command.run(
            joiner("sh", "-c", f": > {died}; kill -KILL $$", job_pid=job.pid), command
        )
        assert killed == Outcome(137, job_ended=True)
        reaper.join(PATIENCE)
    files.read()


def signal_once(ready: Path, number: int) -> None:
    """Send a signal to this process once a file is there."""

    def send() -> None:
        limit = time.monotonic() + PATIENCE
        while not ready.exists() and time.monotonic() < limit:
            time.sleep(0.01)
        os.kill(os.getpid(), number)

    threading.Thread(target=send).start()


def test_signals_of_this_process_reach_the_command(files: Files) -> None:
    ready = files.folder / "ready"
    signal_once(ready, signal.SIGTERM)
    script = f"trap 'exit 8' TERM; touch {ready}; while :; do sleep 0.01; done"
    command = Command((), None, files.streams)
    assert joined_command.run(joiner("sh", "-c", script), command) == Outcome(8)
    files.read()


def test_a_program_that_stands_for_a_command_gets_no_signals(files: Files) -> None:
    signals: list[str] = []
    ready, done = files.folder / "ready", files.folder / "done"

    def kill(name: str) -> None:
        signals.append(name)
        done.touch()

    signal_once(ready, signal.SIGINT)
    script = f"touch {ready}; until test -e {done}; do sleep 0.01; done; exit $1"
    container = ContainerJoiner(
        os.getpid(),
        ["sh", "-c", script],
        ["name", "9"],
        {"PATH": os.environ["PATH"]},
        kill,
        wants_terminal=False,
    )
    command = Command((), None, files.streams)
    assert joined_command.run(container, command, alone=True) == Outcome(9)
    assert signals == ["INT"]
    files.read()


def test_a_container_gets_a_terminal_by_an_option(screen: Screen) -> None:
    container = ContainerJoiner(
        os.getpid(),
        ["echo"],
        ["name", "words"],
        {"PATH": os.environ["PATH"]},
        print,
        wants_terminal=True,
    )
    command = Command((), True, screen.streams)
    assert joined_command.run(container, command, alone=True) == Outcome(0)
    screen.until(b"words")
    assert b"--tty name words" in screen.text


def test_the_helper_of_a_command_starts_without_site_packages() -> None:
    lines = subprocess.run(
        [
            sys.executable,
            "-I",
            "-S",
            "-X",
            "importtime",
            bare.__file__,
            "job_entry",
            "0",
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    ).stderr
    for heavy in ("psutil", "pathlib", "typing\n", "subprocess"):
        assert heavy not in lines
