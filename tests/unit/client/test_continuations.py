"""Which experiment each experiment of a plan continues."""

from dataclasses import replace

import pytest

from riseml.client import continuations
from riseml.client.context import ClientContext
from riseml.client.types import FolderCode
from riseml.distributions import FLOAT, Distribution
from riseml.errors import InvalidInputError
from riseml.plan import ExperimentSet, Rounds
from riseml.status import SetStatus, State
from tests.cli import fake_engine
from tests.cli.fake_engine import FakeEngine
from tests.unit.plans import grid, single

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
