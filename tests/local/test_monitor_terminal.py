"""`riseml monitor` on a real terminal, on one that cannot move its cursor, and in a pipe."""

import json
import os
import signal
import subprocess
import sys

from riseml.ids import Id
from tests.local.conftest import Lab
from tests.local.test_watch_terminal import Start, start

__all__ = ["start"]

BUSY = "run: while true; do :; done"


def stop(lab: Lab, number: int) -> None:
    lab.engine.stop(Id(number=number), force=True)
    lab.wait(number)


def test_a_screen_is_redrawn_resized_suspended_and_left(lab: Lab, start: Start) -> None:
    number = lab.train(BUSY).number
    watched = start("monitor")
    watched.until(lambda: watched.shows("1 job: "))
    watched.until(lambda: watched.shows("1.train"))
    # Two readings make a curve.
    watched.until(lambda: watched.shows("█"))
    watched.resize(60, 8)
    frames = watched.codes.count("\x1b[H")
    watched.until(lambda: watched.codes.count("\x1b[H") > frames)
    watched.process.send_signal(signal.SIGTSTP)
    watched.until(lambda: "\x1b[?1049l" in watched.codes)
    watched.process.send_signal(signal.SIGCONT)
    watched.until(lambda: watched.codes.count("\x1b[?1049h") == 2)
    watched.until(lambda: watched.shows("1.train"))
    os.write(watched.fd, b"\x03")
    lines = watched.end()
    assert any("`riseml monitor` shows this again" in line for line in lines)
    assert watched.process.returncode == 0
    stop(lab, number)


def test_a_run_that_ends_ends_its_screen(lab: Lab, start: Start) -> None:
    number = lab.train(BUSY).number
    watched = start("monitor", str(number))
    watched.until(lambda: watched.shows("1.train"))
    stop(lab, number)
    assert any("1 has ended: KILLED." in line for line in watched.end())
    assert watched.process.returncode == 0


def test_a_dumb_terminal_gets_one_reading(lab: Lab, start: Start) -> None:
    number = lab.train(BUSY).number
    watched = start("monitor", term="dumb")
    watched.end()
    assert "\x1b" not in watched.codes
    assert watched.codes.count("1.train") == 1
    stop(lab, number)


def test_a_reader_that_leaves_ends_the_readings(lab: Lab) -> None:
    number = lab.train(BUSY).number
    process = subprocess.Popen(
        [sys.executable, "-m", "riseml", "monitor", "-w", "-i", "0.1", "-o", "json"],
        cwd=lab.folder,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    for _ in range(2):
        reading = json.loads(process.stdout.readline())
        assert [job["id"] for job in reading["jobs"]] == ["1.train"]
    process.stdout.close()
    process.wait(60)
    stop(lab, number)
