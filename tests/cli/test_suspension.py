"""Screens of runs that somebody has suspended with Argo."""

from dataclasses import replace

from riseml.status import State
from tests.cli.conftest import Riseml
from tests.cli.fake_engine import FakeEngine, grid


def test_status_and_why_show_the_same_state(engine: FakeEngine, riseml: Riseml) -> None:
    run = grid(13, [State.RUNNING, State.CREATED])
    running, waiting = run.experiments
    suspended = replace(waiting, reason="SUSPENDED", message="suspended with Argo")
    engine.runs = [replace(run, experiments=(running, suspended))]
    assert "13.2   ● SUSPENDED" in riseml("status", "13").out
    assert (
        "13.2 ● SUSPENDED: somebody has suspended its run with Argo"
        in riseml("why", "13").out
    )
