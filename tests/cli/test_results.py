"""`riseml results`: which experiment is marked, names of columns, and what is said about metrics."""

from dataclasses import replace

import pytest

from riseml.engines import Chunk
from riseml.plan import Marks, Metric
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


def test_a_csv_file_may_have_no_titles(riseml: Riseml, engine: FakeEngine) -> None:
    for words in (
        ("results", "15"),
        ("status", "-a"),
        ("status", "15"),
        ("ls", "output://~/15/1"),
    ):
        csv = riseml(*words, "-o", "csv").out
        assert riseml(*words, "-o", "csv", "--no-headers").out == csv.partition("\n")[2]


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


def test_several_runs_by_project_and_tag(riseml: Riseml, engine: FakeEngine) -> None:
    other = replace(grid(31, STATES, RESULTS), project="other")
    tagged = replace(grid(32, STATES, RESULTS), marks=Marks(tags=("good",)))
    engine.runs = [tagged, other, grid(30, STATES, RESULTS)]
    ids = ("-o", "name")
    assert riseml("results", "30", "31", *ids).out.split() == [
        "30.1",
        "30.2",
        "31.1",
        "31.2",
    ]
    assert riseml("results", "--project", "other", *ids).out.split() == ["31.1", "31.2"]
    assert riseml("results", "--tag", "good", *ids).out.split() == ["32.1", "32.2"]
    project = ("--project", "toaster-net")
    words = riseml("results", *project, "--tag", "good", *ids).out.split()
    assert words == ["32.1", "32.2"]
    both = riseml("results", "30", "31", *project, *ids).out.split()
    assert both == ["30.1", "30.2"]
    for words in (["--project", "none"], ["--tag", "bad"], ["30", "--tag", "good"]):
        result = riseml("results", *words)
        assert result.err.startswith("riseml: error: no run belongs to ")
    hint = riseml("results", "--tag", "good", *project).err
    assert "`riseml results --project toaster-net --tag good --sort epoch`" in hint


def test_filter_columns_and_order(riseml: Riseml, engine: FakeEngine) -> None:
    engine.runs = [grid(30, STATES, RESULTS)]
    words = ["--columns", "id, val_loss", "--columns", "duration,state"]
    where = ["--where", "val_loss < 0.4 or epoch = 10", "--sort", "epoch"]
    assert riseml("results", "30", *words, *where).out == (
        "  EXP ID val_loss DURATION STATE\n"
        "★ 30.2       0.25 1h 0m 0s ✓ FINISHED\n"
        "  30.1        0.5 1h 0m 0s ✓ FINISHED\n"
    )
    rows = riseml("results", "30", *words, *where, "-o", "csv").out
    assert (
        rows
        == "id,val_loss,duration,state\n30.2,0.25,3600.0,FINISHED\n30.1,0.5,3600.0,FINISHED\n"
    )
    nothing = riseml("results", "30", "--where", "epoch > 99")
    assert nothing.err == "No experiment fulfils the filter.\n"
    wrong = riseml("results", "30", "--where", "epoch > 1 and accuracy")
    assert wrong.status == 2
    assert wrong.err.splitlines()[1:3] == [
        "  epoch > 1 and accuracy",
        "                ^^^^^^^^",
    ]
    unknown = riseml("results", "30", "--columns", "accuracy")
    assert "no result or parameter is called 'accuracy'" in unknown.err
