"""A small storm of kills; `python -m benchmarks.storm` is the large one."""

from pathlib import Path

from tests.storm import report, victims
from tests.storm.kills import Extent, KillStorm


def test_nothing_is_lost_in_a_storm_of_kills(tmp_path: Path) -> None:
    """Every experiment runs once, and has its true state and result."""
    kinds = (victims.CONTROLLER, victims.SUPERVISOR, victims.CLIENT)
    extent = Extent(experiments=24, kills=8, set_size=8, seed=3, victims=kinds)
    journal = KillStorm(tmp_path, extent).run()
    serious = {report.LOST, report.DUPLICATED, report.WRONG, report.TRACEBACK}
    defects = [defect for defect in journal.defects if defect.kind in serious]
    assert not defects, journal.lines(())
    assert len(journal.kills) == 8
    assert journal.figures["experiments"] >= 24
