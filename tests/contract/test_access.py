"""Access to running jobs, the same on all engines."""

import fcntl
import hashlib
import os
import signal
import socket
import struct
import tempfile
import termios
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

import pytest

from riseml.client.client import Client
from riseml.engines.access import Streams
from riseml.errors import NotFoundError
from riseml.status import State
from tests.contract.bench import Bench

_PATIENCE = 120.0
# Not every image has `stty`.
_SIZE = (
    'size() { python3 -c "import os; c, l = os.get_terminal_size(0); print(l, c)"; }'
)
# It serves capitals until the file `go` exists.
_SERVER = """
import os, socketserver, sys, threading, time

class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(self.rfile.readline().upper())

with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print("port", server.server_address[1], flush=True)
    while not os.path.exists("go"):
        time.sleep(0.1)
    server.shutdown()
"""


class Result(NamedTuple):
    """How a command in a job ended, and what it wrote."""

    status: int
    output: bytes
    errors: bytes


@contextmanager
def streams(stdin: bytes) -> Iterator[tuple[Streams, list[BinaryIO]]]:
    with (
        tempfile.TemporaryFile() as source,
        tempfile.TemporaryFile() as output,
        tempfile.TemporaryFile() as errors,
    ):
        source.write(stdin)
        source.seek(0)
        files: list[BinaryIO] = [source, output, errors]
        yield Streams(*(file.fileno() for file in files)), files


class Commands:
    """Commands in the job of a run."""

    def __init__(self, bench: Bench, number: int) -> None:
        self.bench, self.number = bench, number
        self.client = Client(engine=bench.engine)

    def exec(self, *words: str, stdin: bytes = b"") -> Result:
        with streams(stdin) as (descriptors, files):
            id_ = str(self.number)
            if words:
                status = self.client.exec(id_, words, streams=descriptors)
            else:
                status = self.client.shell(id_, streams=descriptors)
            written = []
            for file in files[1:]:
                file.seek(0)
                written.append(file.read())
        return Result(status, *written)


class Job(Commands):
    """A job that serves until it is told to end."""

    def __init__(self, bench: Bench) -> None:
        bench.write({"server.py": _SERVER})
        lines = ["export FROM_A_LINE='two\n\n    words'", "exec python3 server.py"]
        run = "\n".join(f"- {line!r}" for line in lines)
        super().__init__(bench, bench.train(f"run:\n{run}").number)
        bench.until_logged(self.number, "port")
        self.port = int(bench.log(self.number).split()[1])


@pytest.fixture
def job(bench: Bench) -> Job:
    return Job(bench)


def test_commands_run_as_those_of_the_job(job: Job) -> None:
    pid = job.exec(
        "sh", "-c", "cat /proc/[0-9]*/environ | tr '\\0' '\\n' | grep -c FROM_A_LINE"
    )
    assert pid.status == 0
    script = 'printf "%s|" "$FROM_A_LINE" "$RISEML_EXPERIMENT" "$PYTHONUNBUFFERED"; ls; python3 -c "import riseml"'
    result = job.exec("sh", "-c", script)
    expected = f"two\n\n    words|{job.number}|1|server.py\n"
    assert result == (0, expected.encode(), b"")
    assert job.exec("sh", "-c", "exit 3").status == 3
    assert job.exec("sh", "-c", "kill -9 $$").status == 137
    missing = job.exec("no-such-program")
    assert missing == (127, b"", b"riseml: the job has no command no-such-program\n")
    assert job.exec(stdin=b"ls\nexit 5\n") == (5, b"server.py\n", b"")
    data = os.urandom(3_000_000)
    echoed = job.exec("sh", "-c", "cat; printf '\\r\\n' >&2", stdin=data)
    assert hashlib.sha256(echoed.output).digest() == hashlib.sha256(data).digest()
    assert (echoed.status, echoed.errors) == (0, b"\r\n")
    assert job.exec("touch", "go").status == 0
    assert job.bench.wait(job.number).state is State.FINISHED
    with pytest.raises(NotFoundError, match=f"{job.number} has ended: it is FINISHED"):
        job.exec("true")


def test_a_port_of_a_job_can_be_reached(job: Job) -> None:
    notes: list[str] = []
    id_ = str(job.number)
    with job.client.port_forward(
        id_, f":{job.port}", on_note=notes.append
    ) as forwarding:
        (port,) = forwarding.ports
        assert (forwarding.job, port.remote) == (f"{job.number}.train", job.port)
        for text in (b"text\n", b"more\n"):
            address = ("127.0.0.1", port.local)
            with socket.create_connection(address, job.bench.patience) as connection:
                connection.sendall(text)
                assert connection.makefile("rb").read() == text.upper()
        assert notes == []
        job.client.port_forward(id_, ":9", on_note=notes.append).close()
        assert notes == [f"riseml: {job.number}.train does not listen on port 9 yet"]
        assert job.client.kill(id_)[0].stopped
        forwarding.wait()
    assert job.bench.wait(job.number).state is State.KILLED


def test_a_command_ends_with_the_job(job: Job) -> None:
    notes: list[str] = []
    with streams(b"") as (descriptors, _):
        status = job.client.exec(
            str(job.number),
            ["sh", "-c", "touch go; exec sleep 1000"],
            streams=descriptors,
            on_note=notes.append,
        )
    assert status in (129, 137)
    assert notes == [f"riseml: {job.number}.train has ended, and this command with it"]
    assert job.bench.wait(job.number).state is State.FINISHED


class Terminal:
    """A terminal on which a test types while the main thread runs a command."""

    def __init__(self) -> None:
        self._ours, self.theirs = os.openpty()
        self.resize(20, 70)
        self.text = ""
        os.set_blocking(self._ours, False)

    def resize(self, lines: int, columns: int) -> None:
        size = struct.pack("HHHH", lines, columns, 0, 0)
        fcntl.ioctl(self.theirs, termios.TIOCSWINSZ, size)

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def close(self) -> None:
        os.close(self.theirs)
        os.close(self._ours)

    def until(self, text: str) -> None:
        limit = time.monotonic() + _PATIENCE
        while text not in self.text and time.monotonic() < limit:
            time.sleep(0.05)
            try:
                self.text += os.read(self._ours, 4096).decode(errors="replace")
            except BlockingIOError:
                continue


def test_a_shell_has_the_terminal_and_the_environment(
    job: Job, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SHELL", "/bin/bash")
    monkeypatch.setenv("HOME", str(tmp_path))
    terminal = Terminal()

    def use() -> None:
        terminal.until("the job goes on.")
        terminal.type(
            f"{_SIZE}; size; echo RISEML_EXPERIMENT=$RISEML_EXPERIMENT in $PWD\n"
        )
        terminal.until(f"RISEML_EXPERIMENT={job.number} in")
        terminal.resize(33, 77)
        os.kill(os.getpid(), signal.SIGWINCH)
        # The size arrives a moment later.
        terminal.type("until size | grep 33; do sleep 0.1; done; sleep 1000\n")
        terminal.until("33 77\r\n")
        terminal.type("\x03")
        terminal.type("exit 6\n")

    user = threading.Thread(target=use)
    user.start()
    streams_ = Streams(terminal.theirs, terminal.theirs, terminal.theirs)
    id_ = f"{job.number}.train"
    # A terminal sends its signals to the processes in its foreground only.
    status = job.client.shell(id_, tty=True, streams=streams_)
    user.join()
    assert status == 6
    assert f"This is a shell in job {id_}, in /" in terminal.text
    assert "20 70\r\n" in terminal.text
    terminal.close()


def test_a_signal_without_a_terminal_reaches_the_command(job: Job) -> None:
    reader, writer = os.pipe()
    script = "trap 'exit 9' INT; echo begun; while :; do sleep 0.1; done"

    def interrupt() -> None:
        assert os.read(reader, 100) == b"begun\n"
        os.kill(os.getpid(), signal.SIGINT)

    user = threading.Thread(target=interrupt)
    user.start()
    with open(os.devnull) as null:  # noqa: PTH123
        descriptors = Streams(null.fileno(), writer)
        status = job.client.exec(
            str(job.number), ["sh", "-c", script], streams=descriptors
        )
    user.join()
    assert status == 9
    os.close(reader)
    os.close(writer)


def test_a_held_job_can_be_entered(bench: Bench) -> None:
    lines = "- export FROM_A_LINE=1\n- echo 5 > made; exit 3"
    number = bench.train(f"hold_on_failure: 1h\nrun:\n{lines}").number
    bench.until(
        lambda: bench.engine.read(bench.id(number)).experiments[0].held_until,
        "the job is held",
    )
    held = Commands(bench, number)
    script = 'cat made; python3 -c "import riseml"; echo $RISEML_EXPERIMENT'
    assert held.exec("sh", "-c", script) == (0, f"5\n{number}\n".encode(), b"")
    held.client.release(str(number))
    assert bench.wait(number).state is State.FAILED
