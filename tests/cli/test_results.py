"""`riseml results`: which experiment is marked, names of columns, and what is said about metrics."""

from dataclasses import replace

import pytest

from riseml.engines import Chunk
from riseml.plan import Metric
from riseml.status import State
from tests.cli.conftest import Riseml
from tests.cli.fake_engine import FakeEngine, grid

STATES = [State.FINISHED, State.FINISHED]
RESULTS = {1: {"epoch": 10, "val_loss": 0.5}, 2: {"epoch": 20, "val_loss": 0.25}}


def test_the_first_metric_of_the_file_marks_the_best(
    riseml: Riseml, engine: FakeEngine
) -> None:
    run = replace(
        grid(30, STATES, RESULTS),
        metrics=(Metric("nothing"), Metric("val_loss", "min"), Metric("epoch", "max")),
    )
    engine.runs.insert(0, run)
    result = riseml("results", "30")
    assert [line.split()[:2] for line in result.out.splitlines()[1:]] == [
        ["30.1", "✓"],
        ["★", "30.2"],
    ]
    assert "val_loss epoch" in result.out
    assert result.err.splitlines() == [
        "★ best by val_loss: smaller is better.",
        "No values of nothing in logs and files.",
    ]


def test_no_experiment_is_marked_by_a_metric_that_nobody_chose(
    riseml: Riseml, engine: FakeEngine
) -> None:
    engine.runs.insert(0, grid(30, STATES, RESULTS))
    result = riseml("results", "30")
    assert "★" not in result.out
    assert result.err == "`riseml results 30 --sort epoch` marks the best.\n"


def test_every_column_of_a_csv_file_has_its_own_name(
    riseml: Riseml, engine: FakeEngine
) -> None:
    values = {"lr": 7, "id": 8, "state": 9, "": 6, "acc": 1}
    engine.runs.insert(0, grid(30, STATES, {1: values}))
    header, first, second = riseml("results", "30", "-o", "csv").out.splitlines()
    titles = "id,state,param.lr,opt,result.,acc,result.id,result.lr,result.state"
    assert header == titles
    assert first == "30.1,FINISHED,1e-1,adam,6,1,8,7,9"
    assert second == "30.2,FINISHED,1e-2,adam,,,,,"


@pytest.mark.parametrize("metrics", [(), (Metric("acc", "max"),)])
def test_names_in_the_log_are_suggested(
    riseml: Riseml, engine: FakeEngine, metrics: tuple[Metric, ...]
) -> None:
    engine.runs.insert(0, replace(grid(30, STATES), metrics=metrics))
    engine.events = [Chunk("30.1.train", b"epoch 1 loss=0.5 val_loss=0.7 port=3\n")]
    result = riseml("results", "30")
    assert (
        "Seen in the logs: val_loss, loss; write `results: {val_loss: min}`"
        in result.err
    )
