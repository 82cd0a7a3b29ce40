"""`riseml status -w` on a real terminal, in a pipe, and on a terminal that cannot move its cursor."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator

import pytest

from riseml.ids import Id
from riseml.status import State
from tests.cli.virtual_terminal import VirtualTerminal
from tests.local.conftest import Lab

REPORT = """
import os, riseml, time
riseml.report_result(acc=0.5)
riseml.report_progress(1, 4)
while not os.path.exists(os.environ["FOLDER"] + "/go"):
    time.sleep(0.02)
"""
ON_A_TERMINAL = """
import fcntl, signal, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
from riseml.cli import main
sys.exit(main(sys.argv[1:]))
"""


class Watched:
    """A command on a terminal of a size."""

    def __init__(self, lab: Lab, *words: str, term: str = "xterm") -> None:
        self.fd, theirs = pty.openpty()
        self.codes = ""
        self.resize(80, 24)
        environment = {**os.environ, "TERM": term, "LC_ALL": "C.UTF-8"}
        # The variable would take the place of the real width.
        environment.pop("COLUMNS", None)
        self.process = subprocess.Popen(
            [sys.executable, "-c", ON_A_TERMINAL, *words],
            cwd=lab.folder,
            env=environment,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)

    def resize(self, width: int, height: int) -> None:
        self.size = width, height
        size = struct.pack("HHHH", height, width, 0, 0)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, size)

    def read(self, *, timeout: float = 0.05) -> None:
        if select.select([self.fd], [], [], timeout)[0]:
            try:
                self.codes += os.read(self.fd, 1 << 16).decode()
            except OSError:
                # The process has ended.
                time.sleep(timeout)

    def until(self, condition: Callable[[], object], *, seconds: float = 60.0) -> None:
        limit = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < limit, self.codes[-3000:]
            self.read()

    def screen(self) -> list[str]:
        """Return what the terminal shows."""
        terminal = VirtualTerminal(self.size[0], 1000)
        # A code may have been read in part.
        terminal.feed(re.sub(r"\x1b[^a-zA-Z]*$", "", self.codes))
        return terminal.lines

    def shows(self, text: str) -> bool:
        return any(text in line for line in self.screen())

    def end(self) -> list[str]:
        self.until(lambda: self.process.poll() is not None)
        self.read(timeout=0.2)
        return self.screen()


@pytest.fixture
def start(lab: Lab) -> Iterator[Callable[..., Watched]]:
    started: list[Watched] = []

    def run(*words: str, term: str = "xterm") -> Watched:
        started.append(Watched(lab, *words, term=term))
        return started[-1]

    yield run
    for watched in started:
        watched.process.kill()
        watched.process.wait()
        os.close(watched.fd)


def train(lab: Lab, text: str = "run: python3 report.py") -> None:
    lab.write({"report.py": REPORT})
    lab.train(text, FOLDER=str(lab.folder.parent))


def finish(lab: Lab) -> None:
    (lab.folder.parent / "go").touch()


Start = Callable[..., Watched]


def test_results_and_progress_appear_and_the_last_screen_remains(
    lab: Lab, start: Start
) -> None:
    train(lab)
    watched = start("status", "-w", "1")
    watched.until(lambda: watched.shows("Progress: [##------] 1/4"))
    watched.until(lambda: watched.shows("Result: acc=0.5"))
    finish(lab)
    shown = watched.end()
    assert "State: ✓ FINISHED" in shown
    # The alternate screen is left, and its last block is printed below the command.
    assert "\x1b[?1049l" in watched.codes.partition("\x1b[?1049h")[2]
    assert watched.process.returncode == 0


def test_a_resized_terminal_is_redrawn_at_once(lab: Lab, start: Start) -> None:
    train(lab, "parameters: {n: [1, 2, 3]}\nconcurrency: 3\nrun: python3 report.py")
    watched = start("status", "-w", "1")
    watched.until(lambda: watched.shows("[##------] 25%"))
    watched.resize(60, 8)
    frames = watched.codes.count("\x1b[H")
    watched.until(lambda: watched.codes.count("\x1b[H") > frames, seconds=30)
    watched.until(lambda: not watched.shows("[##------]"))
    last = watched.codes.rpartition("\x1b[H")[2].split("\r\n")
    assert len(last) <= 8
    watched.process.send_signal(signal.SIGINT)
    watched.end()


def test_ctrl_c_leaves_the_last_screen_and_says_how_to_return(
    lab: Lab, start: Start
) -> None:
    train(lab)
    watched = start("status", "-w", "1")
    watched.until(lambda: watched.shows("Result: acc=0.5"))
    os.write(watched.fd, b"\x03")
    shown = watched.end()
    assert "Result: acc=0.5" in shown
    assert any("`riseml status 1 -w` shows it again" in line for line in shown)
    assert watched.process.returncode == 0
    assert lab.engine.read(Id(number=1)).state is State.RUNNING
    finish(lab)


def test_ctrl_z_gives_the_terminal_back_until_the_command_goes_on(
    lab: Lab, start: Start
) -> None:
    train(lab)
    watched = start("status", "-w", "1")
    watched.until(lambda: watched.shows("Result: acc=0.5"))
    # Without a shell that could bring it back, the process may go on by itself.
    watched.process.send_signal(signal.SIGTSTP)
    watched.until(lambda: "\x1b[?1049l" in watched.codes)
    watched.process.send_signal(signal.SIGCONT)
    watched.until(lambda: watched.codes.count("\x1b[?1049h") == 2)
    watched.until(lambda: watched.shows("Result: acc=0.5"))
    finish(lab)
    assert "State: ✓ FINISHED" in watched.end()


def test_a_dumb_terminal_gets_lines(lab: Lab, start: Start) -> None:
    train(lab)
    watched = start("status", "-w", "1", term="dumb")
    watched.until(lambda: "1 RUNNING 20%" in watched.codes)
    finish(lab)
    watched.end()
    assert "\x1b" not in watched.codes
    assert "1 FINISHED acc=0.5" in watched.codes.splitlines()


def test_a_pipe_gets_lines_until_nothing_runs(lab: Lab) -> None:
    train(lab)
    process = subprocess.Popen(
        [sys.executable, "-m", "riseml", "status", "-w"],
        cwd=lab.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("1 ")
    finish(lab)
    out, err = process.communicate(timeout=60)
    assert out.splitlines()[-1] == "1 FINISHED acc=0.5"
    assert (err, process.returncode) == ("Nothing is running.\n", 0)


def test_a_list_shows_what_ends_and_what_starts(lab: Lab, start: Start) -> None:
    train(lab)
    watched = start("status", "-w")
    watched.until(lambda: watched.shows("RUNNING"))
    watched.until(lambda: watched.shows("[##------] 25%"))
    finish(lab)
    watched.until(lambda: watched.shows("Nothing is running."))
    assert watched.shows("✓ FINISHED")
    (lab.folder.parent / "go").unlink()
    train(lab)
    watched.until(lambda: watched.shows("● RUNNING"))
    assert watched.shows("✓ FINISHED")
    assert not watched.shows("Nothing is running.")
    finish(lab)
    watched.until(lambda: watched.shows("Nothing is running."))
    watched.process.send_signal(signal.SIGINT)
    watched.end()
