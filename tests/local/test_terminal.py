"""Following a run from a terminal that is closed, or where the user presses Ctrl-C."""

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from riseml.ids import Id
from riseml.status import State
from tests.local.conftest import Lab

Followed = tuple[subprocess.Popen[bytes], int]


@pytest.fixture
def followed(lab: Lab, tmp_path: Path) -> Iterator[Followed]:
    """`riseml train -l` on a terminal, once the job has written its first line."""
    (lab.folder / "riseml.yml").write_text(
        "project: lab\ntrain:\n  image: busybox\n  resources: {cpus: 0.01, mem: 1}\n"
        f"  run: 'echo I am here; until test -e {tmp_path}/go; do sleep 0.05; done; echo and done'\n"
    )
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", _ON_A_TERMINAL],
        cwd=lab.folder,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    screen = b""
    while b"I am here" not in screen:
        screen += os.read(ours, 4096)
    yield process, ours
    process.kill()
    process.wait()


_ON_A_TERMINAL = """
import fcntl, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
from riseml.cli import main
sys.exit(main(["train", "-l"]))
"""


def read_to_end(terminal: int) -> str:
    """Return everything that is written to a terminal until its process ends."""
    screen = b""
    while True:
        try:
            data = os.read(terminal, 4096)
        except OSError:
            return screen.decode()
        if not data:
            return screen.decode()
        screen += data


def test_a_run_continues_when_its_terminal_is_closed(
    lab: Lab, tmp_path: Path, followed: Followed
) -> None:
    process, terminal = followed
    # The kernel then sends SIGHUP to the session.
    os.close(terminal)
    process.wait()
    (tmp_path / "go").touch()
    assert lab.wait(1).state is State.FINISHED
    assert lab.log(1) == "I am here\nand done\n"


def test_ctrl_c_detaches_and_shows_how_to_return(
    lab: Lab, tmp_path: Path, followed: Followed
) -> None:
    process, terminal = followed
    os.write(terminal, b"\x03")
    screen = read_to_end(terminal)
    assert process.wait() == 0
    os.close(terminal)
    assert "riseml logs 1" in screen
    assert "riseml kill 1" in screen
    assert lab.engine.read(Id(number=1)).state is State.RUNNING
    (tmp_path / "go").touch()
    assert lab.wait(1).state is State.FINISHED


def test_jobs_do_not_belong_to_the_session_of_the_terminal(
    lab: Lab, followed: Followed
) -> None:
    process, terminal = followed
    os.killpg(process.pid, signal.SIGKILL)
    os.close(terminal)
    assert lab.engine.read(Id(number=1)).state is State.RUNNING
    assert lab.engine.stop(Id(number=1))
    assert lab.wait(1).state is State.KILLED


@pytest.mark.parametrize("parameters", ["{}", "{lr: [1, 2]}"])
def test_train_shows_the_build_until_it_has_ended(
    lab: Lab, tmp_path: Path, parameters: str
) -> None:
    (lab.folder / "riseml.yml").write_text(
        "project: lab\ntrain:\n  image: busybox\n  resources: {cpus: 0.01, mem: 1}\n"
        f"  install: 'echo collecting it; until test -e {tmp_path}/go; do sleep 0.05; done'\n"
        f"  parameters: {parameters}\n  run: 'true'\n"
    )
    ours, theirs = pty.openpty()
    code = "import sys; from riseml.cli import main; sys.exit(main(['train']))"
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=lab.folder,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "60"},
        start_new_session=True,
    )
    os.close(theirs)
    screen = b""
    while b"collecting it\r\n" not in screen:
        screen += os.read(ours, 4096)
    (tmp_path / "go").touch()
    text = screen.decode() + read_to_end(ours)
    assert process.wait() == 0
    os.close(ours)
    assert "1.build has run for " in text
    assert "; step 1 of 1: echo " in text
    assert "\r\n  | collecting it\r\n" in text
    assert "`riseml logs 1.build` shows the full log." in text
    assert "1.build FINISHED after " in text
    assert lab.wait(1).state is State.FINISHED
