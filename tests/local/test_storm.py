"""Small storms; `python -m benchmarks.storm` has the large ones."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.storm import full_disk
from tests.storm.interrupted import InterruptedKills
from tests.storm.kills import Extent, KillStorm


def test_nothing_is_lost_in_a_storm_of_kills(tmp_path: Path) -> None:
    """Every experiment runs once, has its true state and result, and leaves nothing."""
    extent = Extent(experiments=24, kills=10, set_size=8, seed=3)
    journal = KillStorm(tmp_path, extent).run()
    assert not journal.defects, journal.lines(())
    assert len(journal.kills) == 10
    assert journal.figures["experiments"] >= 24


def test_an_interrupted_kill_ends_everything_or_nothing(tmp_path: Path) -> None:
    journal = InterruptedKills(tmp_path, rounds=2, seed=4).run()
    assert not journal.defects, journal.lines(())
    assert journal.figures["interrupted kills"] == 2


@pytest.mark.skipif(sys.platform != "linux", reason="needs a mount of its own")
def test_a_disk_that_fills_while_a_set_runs_harms_nothing() -> None:
    words = [sys.executable, "-m", "benchmarks.storm", "disk", "--rounds", "1"]
    allowed = subprocess.run(full_disk.command(["true"]), check=False)
    if allowed.returncode:
        pytest.skip("this user may not mount anything")
    done = subprocess.run(
        words,
        cwd=Path(__file__).parents[2],
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "full disks: 1" in done.stdout
