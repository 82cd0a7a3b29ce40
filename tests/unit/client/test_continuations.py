"""Which experiment each experiment of a plan continues."""

from dataclasses import replace
from pathlib import Path

import pytest

from riseml.client import continuations
from riseml.client.context import ClientContext
from riseml.client.repeat_types import FolderCode, Grown
from riseml.distributions import FLOAT, Distribution
from riseml.engines import Growth
from riseml.errors import InvalidInputError, OtherCodeError
from riseml.plan import ExperimentSet, Rounds
from riseml.status import SetStatus, State
from tests.cli import fake_engine
from tests.cli.fake_engine import FakeEngine
from tests.unit.client.submitted import (
    SET_CONFIG,
    SINGLE_CONFIG,
    Submissions,
    context_of,
    recorded_set,
    with_tensorboard,
)
from tests.unit.plans import grid, rounds, single

FINISHED = [State.FINISHED, State.FAILED]
RUN = fake_engine.grid(14, FINISHED)


def resumed(
    plan: ExperimentSet, name: str = "14", run: SetStatus = RUN
) -> tuple[list[str | None], tuple[str, ...]]:
    """Return the folder that each experiment continues, and the notes."""
    context = ClientContext(None, FakeEngine([run]))
    continued, notes = continuations.resumed(context, name, plan)
    return [experiment.resume for experiment in continued.experiments], notes


def test_experiments_continue_those_with_the_same_values() -> None:
    # `opt` is the same everywhere, so that it may differ from the earlier run.
    plan = grid({"lr": "1e-2", "opt": "sgd"}, {"lr": "1e-1", "opt": "sgd"})
    folders, notes = resumed(plan)
    assert folders == ["paul/toaster-net/14/2", "paul/toaster-net/14/1"]
    assert notes == ()


def test_an_experiment_without_predecessor_is_noted() -> None:
    folders, notes = resumed(grid({"lr": "1e-2"}, {"lr": "1e-7"}))
    assert folders == ["paul/toaster-net/14/2", ""]
    (note,) = notes
    assert note.startswith("1 of 2 experiments continue none of 14")


def test_all_continue_the_experiment_that_is_named() -> None:
    plan = grid({"lr": "1"}, {"lr": "2"})
    assert resumed(plan, "14.2")[0] == ["paul/toaster-net/14/2"] * 2
    single_run = fake_engine.single(14, State.FINISHED)
    assert resumed(single(), run=single_run)[0] == ["paul/toaster-net/14"]


@pytest.mark.parametrize(
    ("parameters", "name", "run", "message"),
    [
        ({"lr": "5"}, "14", RUN, "no experiment of 14 has the parameters of one"),
        ({"lr": "5"}, ".anna.14", RUN, ".anna.14 belongs to another user"),
        (
            {"lr": "1e-1"},
            "14.1",
            fake_engine.grid(14, [State.RUNNING]),
            "14.1 has not ended (it is RUNNING)",
        ),
    ],
)
def test_what_cannot_be_continued_is_refused(
    parameters: dict[str, str], name: str, run: SetStatus, message: str
) -> None:
    with pytest.raises(InvalidInputError) as caught:
        resumed(grid(parameters, {"lr": "6"}), name, run)
    assert str(caught.value).startswith(message)


def test_only_a_set_is_extended() -> None:
    context = ClientContext(None, FakeEngine([fake_engine.single(14)]))
    folder = FolderCode("riseml.yml")
    for name, message in (
        ("14", "14 is a single experiment, so it cannot be extended"),
        ("14.2", "can only extend sets"),
    ):
        with pytest.raises(InvalidInputError) as caught:
            continuations.extend(context, name, folder, other_code=False)
        assert str(caught.value) == message


def test_a_search_in_rounds_continues_nothing() -> None:
    space = {"lr": Distribution(FLOAT, "0.1", "1")}
    rounds = Rounds(1, space, "", "python:3.12")
    with pytest.raises(InvalidInputError, match="continue no others"):
        resumed(replace(grid({"lr": "1"}), rounds=rounds))


EXTENDED = replace(recorded_set(*FINISHED), revision="0" * 40)


def extend(
    folder: Path, config: str, run: SetStatus = EXTENDED, *, other_code: bool = False
) -> tuple[Grown, Submissions]:
    context, engine = context_of(run)
    (folder / "riseml.yml").write_text(config)
    code = FolderCode(folder / "riseml.yml")
    grown = continuations.extend(context, "14", code, other_code=other_code)
    return grown, engine


def test_a_set_gets_the_experiments_that_it_lacks(tmp_path: Path) -> None:
    # They have the next numbers, wherever they stand in the wider grid.
    wider = SET_CONFIG.replace("[1e-1,", "[1e-4, 1e-1,")
    grown, engine = extend(tmp_path, wider, other_code=True)
    assert grown.experiments == ("14.3", "14.4")
    assert (grown.id, grown.notes, grown.tensorboard) == ("14", ("note 1",), None)
    (submission,) = engine.submitted
    assert submission.into == Growth(14, 2)
    added = [(one.sub, one.parameters["lr"]) for one in submission.plan.experiments]
    assert added == [(3, "1e-4"), (4, "1e-3")]


def test_added_experiments_start_from_the_image_of_the_set(tmp_path: Path) -> None:
    run = replace(EXTENDED, base_image="busybox@sha256:0")
    _, engine = extend(tmp_path, SET_CONFIG, run)
    assert engine.submitted[0].base == "busybox@sha256:0"


def test_added_experiments_have_the_runner_of_the_set(tmp_path: Path) -> None:
    run = replace(EXTENDED, runner="docker")
    _, engine = extend(tmp_path, SET_CONFIG, run)
    assert engine.submitted[0].runner == "docker"


def test_a_set_that_lacks_nothing_stays_as_it_is(tmp_path: Path) -> None:
    narrower = SET_CONFIG.replace(", 1e-3", "").replace("fit", "better")
    grown, engine = extend(tmp_path, narrower)
    assert (grown.experiments, engine.submitted) == ((), [])


def test_added_experiments_share_a_tensorboard_that_runs(tmp_path: Path) -> None:
    config = f"{SET_CONFIG}  framework: pytorch\n  pytorch: {{tensorboard: true}}\n"
    run = replace(EXTENDED, state=State.RUNNING, config=config)
    _, engine = extend(tmp_path, config, with_tensorboard(run, State.RUNNING))
    assert not engine.submitted[0].plan.tensorboard
    grown, engine = extend(tmp_path, config, with_tensorboard(run, State.KILLED))
    assert engine.submitted[0].plan.tensorboard
    assert grown.tensorboard == "http://tb/14"


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (SINGLE_CONFIG, "riseml.yml has no `parameters`, so it adds no experiments"),
        (
            SET_CONFIG.replace("toaster-net", "kettle"),
            "14 belongs to project toaster-net, not to kettle",
        ),
    ],
)
def test_a_folder_that_does_not_fit_is_refused(
    config: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(InvalidInputError) as caught:
        extend(tmp_path, config)
    assert str(caught.value).startswith(message)


def test_other_code_in_a_set_needs_consent(tmp_path: Path) -> None:
    other = SET_CONFIG.replace("busybox", "alpine")
    with pytest.raises(OtherCodeError, match="what differs: image"):
        extend(tmp_path, other)
    assert extend(tmp_path, other, other_code=True)[0].experiments == ("14.3",)


def test_a_search_goes_on_after_the_last_number() -> None:
    missing = continuations._missing(EXTENDED, rounds(4, 2))
    assert [experiment.sub for experiment in missing] == [3, 4]
