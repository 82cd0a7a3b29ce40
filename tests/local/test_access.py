"""Commands and shells in running jobs of this machine."""

import fcntl
import hashlib
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import psutil
import pytest

from riseml.client.client import Client
from riseml.engines.access import Streams
from riseml.engines.local.jobs import mounts, network
from riseml.errors import InvalidInputError, NotFoundError
from riseml.ids import Id
from riseml.status import State
from tests.local.conftest import PATIENCE, Lab

_ON_A_TERMINAL = """
import fcntl, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
from riseml.cli import main
sys.exit(main(sys.argv[1:]))
"""
# A program that lasts, since commands get the environment of one.
_WAITS = "sh -c 'until test -e {go}; do sleep 0.05; done'"


class Job:
    """A job that runs until `finish`, and a client to reach it."""

    def __init__(self, lab: Lab, folder: Path, *lines: str, more: str = "") -> None:
        self.lab, self.folder = lab, folder
        self.go = folder / "go"
        commands = [*lines, "echo ready", _WAITS.format(go=self.go)]
        text = "\n".join(f"- {line}" for line in commands)
        self.number = lab.train(f"run:\n{text}\n{more}").number
        self.client = Client(engine=lab.engine)
        lab.until(lambda: "ready" in lab.log(self.number), "the job is ready")

    def exec(
        self, *words: str, stdin: bytes = b"", job: str = ""
    ) -> tuple[int, bytes, bytes]:
        """Run a command in the job; return its status, output and errors."""
        files: list[BinaryIO] = []
        for name in ("stdin", "stdout", "stderr"):
            files.append((self.folder / name).open("wb+"))
        files[0].write(stdin)
        files[0].seek(0)
        streams = Streams(*(file.fileno() for file in files))
        id_ = job or str(self.number)
        if words:
            status = self.client.exec(id_, words, streams=streams)
        else:
            status = self.client.shell(id_, streams=streams)
        results = []
        for file in files[1:]:
            file.seek(0)
            results.append(file.read())
        for file in files:
            file.close()
        return status, results[0], results[1]

    def finish(self) -> State:
        """Let the job end by itself, and return how it did."""
        self.go.touch()
        return self.lab.wait(self.number).state


@pytest.fixture
def start(lab: Lab, tmp_path: Path) -> Callable[..., Job]:
    def start(*lines: str, more: str = "") -> Job:
        return Job(lab, tmp_path, *lines, more=more)

    return start


class Screen:
    """A terminal on which `riseml` runs."""

    def __init__(self, *words: str, **environment: str) -> None:
        self._ours, theirs = pty.openpty()
        self.resize(24, 80)
        self.process = subprocess.Popen(
            [sys.executable, "-c", _ON_A_TERMINAL, *words],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            env={**os.environ, "PS1": "$ ", **environment},
        )
        os.close(theirs)
        self.text = ""

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self._ours, text.encode())

    def resize(self, lines: int, columns: int) -> None:
        """Change the size of the window."""
        size = struct.pack("HHHH", lines, columns, 0, 0)
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, size)

    def until(self, text: str) -> str:
        """Read until a text appears; return all that came before and with it."""
        limit = time.monotonic() + PATIENCE
        os.set_blocking(self._ours, False)
        while text not in self.text:
            assert time.monotonic() < limit, f"{text!r} is not in {self.text!r}"
            try:
                self.text += os.read(self._ours, 4096).decode(errors="replace")
            except BlockingIOError:
                time.sleep(0.02)
        before, _, self.text = self.text.partition(text)
        return before + text

    def end(self) -> int:
        """Read to the end, and return the exit status."""
        limit = time.monotonic() + PATIENCE
        os.set_blocking(self._ours, False)
        while time.monotonic() < limit:
            try:
                data = os.read(self._ours, 4096).decode(errors="replace")
            except BlockingIOError:
                time.sleep(0.02)
                continue
            except OSError:
                break
            self.text += data
        return self.process.wait(PATIENCE)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._ours)


@pytest.fixture
def on_screen() -> Iterator[Callable[..., Screen]]:
    screens: list[Screen] = []

    def open_screen(*words: str, **environment: str) -> Screen:
        screens.append(Screen(*words, **environment))
        return screens[-1]

    yield open_screen
    for screen in screens:
        screen.close()


def variables(environment: bytes) -> list[bytes]:
    """Return variables in order, without the one that names a shell's last program."""
    entries = environment.split(b"\0")
    return sorted(entry for entry in entries if not entry.startswith(b"_="))


def test_a_command_has_the_environment_of_the_jobs_own(
    start: Callable[..., Job],
) -> None:
    job = start("export LINE_BEFORE=1", "/usr/bin/env -0 > $OUTPUT_DIR/env")
    status, output, _ = job.exec("/usr/bin/env", "-0")
    own = job.lab.output(job.number) / "env"
    assert status == 0
    assert variables(output) == variables(own.read_bytes())
    assert b"LINE_BEFORE=1" in variables(output)
    assert job.finish() is State.FINISHED


def test_a_command_sees_the_files_of_the_job(start: Callable[..., Job]) -> None:
    job = start("echo text > beside")
    status, output, _ = job.exec("sh", "-c", "cat beside; echo more > $OUTPUT_DIR/new")
    assert (status, output) == (0, b"text\n")
    assert (job.lab.output(job.number) / "new").read_text() == "more\n"
    if mounts.supported():
        assert job.exec("pwd")[1] == b"/code\n"
    assert job.finish() is State.FINISHED


def test_without_mounts_a_command_is_in_the_folders_of_the_job(
    start: Callable[..., Job], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("RISEML_MOUNTS", "off")
    monkeypatch.setenv("RISEML_DATA", str(tmp_path / "data"))
    job = start("echo text > beside", "/usr/bin/env -0 > $OUTPUT_DIR/env")
    status, output, _ = job.exec("sh", "-c", "cat beside; echo more > $OUTPUT_DIR/new")
    assert (status, output) == (0, b"text\n")
    assert (job.lab.output(job.number) / "new").read_text() == "more\n"
    _, output, _ = job.exec("/usr/bin/env", "-0")
    own = job.lab.output(job.number) / "env"
    assert variables(output) == variables(own.read_bytes())
    assert job.finish() is State.FINISHED


def test_a_command_is_in_the_network_of_the_job(start: Callable[..., Job]) -> None:
    if not network.supported():
        pytest.skip("this machine allows no networks of jobs")
    job = start(
        "readlink /proc/self/ns/net > $OUTPUT_DIR/net", more="isolate_network: true"
    )
    _, output, _ = job.exec("readlink", "/proc/self/ns/net")
    assert output.decode() == (job.lab.output(job.number) / "net").read_text()
    assert output.decode().strip() != str(Path("/proc/self/ns/net").readlink())
    assert job.finish() is State.FINISHED


def test_bytes_pass_unchanged_in_both_directions(start: Callable[..., Job]) -> None:
    job = start()
    data = os.urandom(10_000_000)
    status, output, errors = job.exec(
        "sh", "-c", "cat; printf '\\r\\n' >&2", stdin=data
    )
    assert status == 0
    assert hashlib.sha256(output).digest() == hashlib.sha256(data).digest()
    assert errors == b"\r\n"
    assert job.finish() is State.FINISHED


@pytest.mark.parametrize(
    ("words", "status", "errors"),
    [
        (("sh", "-c", "exit 3"), 3, b""),
        (("sh", "-c", "kill -TERM $$"), 143, b""),
        (
            ("no-such-program",),
            127,
            b"riseml: the job has no command no-such-program\n",
        ),
        (
            ("/etc",),
            126,
            b"riseml: the command /etc cannot be run: Permission denied\n",
        ),
    ],
)
def test_the_exit_status_is_that_of_the_command(
    start: Callable[..., Job], words: tuple[str, ...], status: int, errors: bytes
) -> None:
    job = start()
    assert job.exec(*words) == (status, b"", errors)
    assert job.finish() is State.FINISHED


def test_a_shell_without_a_terminal_runs_what_it_reads(
    start: Callable[..., Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHELL", "/bin/sh")
    job = start("echo text > beside")
    assert job.exec(stdin=b"cat beside\nexit 7\n") == (7, b"text\n", b"")
    assert job.finish() is State.FINISHED


def test_of_several_jobs_one_has_to_be_named(lab: Lab, tmp_path: Path) -> None:
    go = tmp_path / "go"
    number = lab.train(
        f"parameters: {{a: [1, 2]}}\nconcurrency: 2\nrun: {_WAITS.format(go=go)}"
    ).number
    client = Client(engine=lab.engine)
    run = Id(number=number)
    lab.until(lambda: lab.engine.read(run).counts.get(State.RUNNING) == 2)
    with pytest.raises(InvalidInputError) as caught:
        client.exec(str(number), ["true"])
    assert str(caught.value) == f"{number} has 2 running jobs"
    assert caught.value.advice == f"Name one: {number}.1.train, {number}.2.train."
    assert client.exec(f"{number}.2", ["true"]) == 0
    go.touch()
    lab.wait(number)
    with pytest.raises(
        NotFoundError, match=f"{number}.1 has ended: it is FINISHED"
    ) as end:
        client.exec(f"{number}.1", ["true"])
    assert str(lab.output(number, 1)) in end.value.advice


def test_a_command_ends_with_the_job(start: Callable[..., Job]) -> None:
    job = start()
    notes: list[str] = []
    reader, writer = os.pipe()
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "riseml",
            "exec",
            str(job.number),
            "--",
            "sh",
            "-c",
            "echo here; sleep 1000",
        ],
        stdout=writer,
        stderr=subprocess.PIPE,
    )
    os.close(writer)
    assert os.read(reader, 100) == b"here\n"
    assert job.finish() is State.FINISHED
    _, errors = process.communicate(timeout=PATIENCE)
    os.close(reader)
    assert process.returncode in (129, 137)
    assert (
        errors.decode()
        == f"riseml: {job.number}.train has ended, and this command with it\n"
    )
    assert notes == []


def test_what_a_command_leaves_behind_ends_with_the_job(
    start: Callable[..., Job],
) -> None:
    job = start()
    status, output, _ = job.exec(
        "sh", "-c", "setsid sleep 1000 >/dev/null 2>&1 & echo $!"
    )
    assert status == 0
    left = psutil.Process(int(output))
    job.lab.until(lambda: left.name() == "sleep")
    assert job.finish() is State.FINISHED
    assert not left.is_running() or left.status() == psutil.STATUS_ZOMBIE


def test_a_kill_ends_an_open_shell(
    start: Callable[..., Job], on_screen: Callable[..., Screen]
) -> None:
    job = start()
    screen = on_screen(
        "shell", str(job.number), SHELL="/bin/bash", HOME=str(job.folder)
    )
    greeting = screen.until("the job goes on.")
    assert f"This is a shell in job {job.number}.train, in " in greeting
    screen.until(f"({job.number}.train) ")
    screen.type("sleep 1000 & echo started\n")
    screen.until("started\r\n")
    before = time.monotonic()
    job.client.kill(str(job.number))
    assert job.lab.wait(job.number).state is State.KILLED
    assert time.monotonic() - before < 10
    status = screen.end()
    assert (
        f"riseml: {job.number}.train has ended, and this shell with it" in screen.text
    )
    assert status in (129, 137)


def test_a_shell_has_the_size_of_the_window(
    start: Callable[..., Job], on_screen: Callable[..., Screen]
) -> None:
    job = start()
    screen = on_screen(
        "shell", str(job.number), SHELL="/bin/bash", HOME=str(job.folder)
    )
    screen.until(f"({job.number}.train) ")
    screen.resize(33, 77)
    screen.type("stty size; exit 5\n")
    screen.until("33 77\r\n")
    assert screen.end() == 5
    assert job.finish() is State.FINISHED


def test_ctrl_c_reaches_the_command(
    start: Callable[..., Job], on_screen: Callable[..., Screen]
) -> None:
    job = start()
    script = "trap 'echo caught; exit 9' INT; echo begun; while :; do sleep 0.05; done"
    screen = on_screen("exec", str(job.number), "--", "sh", "-c", script)
    screen.until("begun\r\n")
    screen.type("\x03")
    screen.until("caught\r\n")
    assert screen.end() == 9
    assert job.finish() is State.FINISHED


def test_the_jobs_path_survives_the_files_of_the_shell(
    start: Callable[..., Job], on_screen: Callable[..., Screen]
) -> None:
    job = start("export PATH=/job/bin:$PATH CUDA_VISIBLE_DEVICES=7", "sleep 1000 &")
    (job.folder / ".bashrc").write_text(
        "PATH=/users/own:$PATH; export CUDA_VISIBLE_DEVICES=0; PS1='mine> '\n"
    )
    screen = on_screen(
        "shell", str(job.number), SHELL="/bin/bash", HOME=str(job.folder), TERM="vt220"
    )
    screen.until(f"({job.number}.train) ")
    screen.type('echo "<${PATH%%:*}> <$CUDA_VISIBLE_DEVICES> <$TERM>"\n')
    screen.until("</job/bin> <7> <vt220>\r\n")
    screen.type("exit\n")
    assert screen.end() == 0
    assert job.finish() is State.FINISHED


def test_a_signal_to_exec_reaches_the_command(start: Callable[..., Job]) -> None:
    job = start()
    script = "trap 'exit 11' INT TERM; echo begun; while :; do sleep 0.05; done"
    words = [
        sys.executable,
        "-m",
        "riseml",
        "exec",
        str(job.number),
        "--",
        "sh",
        "-c",
        script,
    ]
    for number in (signal.SIGINT, signal.SIGTERM):
        process = subprocess.Popen(
            words, stdout=subprocess.PIPE, start_new_session=True
        )
        assert process.stdout
        assert process.stdout.readline() == b"begun\n"
        process.send_signal(number)
        assert process.wait(PATIENCE) == 11
        process.stdout.close()
    assert job.finish() is State.FINISHED
