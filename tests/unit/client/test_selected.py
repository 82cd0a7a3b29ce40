"""Which experiments of a run a command repeats."""

import pytest

from riseml.client.context import ClientContext
from riseml.client.selected import Selection, numbered
from riseml.errors import InvalidInputError, NotFoundError
from riseml.ids import Id
from riseml.status import State
from tests.cli.fake_engine import FakeEngine, grid, single

STATES = [State.FINISHED, State.FAILED, State.KILLED, State.FAILED, State.RUNNING]
RUN = grid(14, STATES)
CONTEXT = ClientContext(None, FakeEngine([RUN]))


def select(*names: str, failed: bool = False, missing: bool = False) -> Selection:
    return Selection.of(CONTEXT, names, failed=failed, missing=missing)


def chosen(selection: Selection, *started: int) -> list[int]:
    return [experiment.number for experiment in selection.choose(RUN, started)]


@pytest.mark.parametrize(
    ("failed", "missing", "subs"),
    [
        (False, False, [2, 3, 4]),
        (True, False, [2, 4]),
        (False, True, [3]),
        (True, True, [2, 3, 4]),
    ],
)
def test_a_set_repeats_what_has_not_finished(
    failed: bool, missing: bool, subs: list[int]
) -> None:
    assert chosen(select("14", failed=failed, missing=missing)) == subs


def test_without_ids_it_is_the_newest_run() -> None:
    assert select().run == Id(number=14)
    assert chosen(select()) == [2, 3, 4]


def test_named_experiments_are_repeated_once_and_unless_they_are_started() -> None:
    selection = select("14.4", "14.2", "14.4")
    assert chosen(selection) == [4, 2]
    assert chosen(selection, 4) == [2]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("14.2", "15.2"), "the experiments belong to different runs"),
        ((".anna.14",), ".anna.14 belongs to another user"),
        (("14", "14.2"), "name either a set or some of its experiments"),
        (("14.2.train",), "can only repeat experiments"),
    ],
)
def test_ids_that_do_not_go_together_are_refused(
    names: tuple[str, ...], message: str
) -> None:
    with pytest.raises(InvalidInputError) as caught:
        select(*names)
    assert str(caught.value) == message


def test_named_experiments_are_not_chosen_by_their_state_as_well() -> None:
    with pytest.raises(InvalidInputError, match="name either a set"):
        select("14.2", failed=True)


@pytest.mark.parametrize(
    ("name", "message", "command"),
    [
        ("14.1", "14.1 has finished", "riseml rerun 14.1"),
        ("14.5", "14.5 has not ended (it is RUNNING)", "riseml kill 14.5"),
    ],
)
def test_an_experiment_that_cannot_be_repeated_is_refused_with_advice(
    name: str, message: str, command: str
) -> None:
    with pytest.raises(InvalidInputError) as caught:
        select(name).choose(RUN, ())
    assert str(caught.value).startswith(message)
    assert command in caught.value.advice


def test_a_number_stands_for_an_experiment() -> None:
    assert numbered(RUN, 3).id == "14.3"
    assert numbered(single(14), 1).id == "14"
    with pytest.raises(NotFoundError):
        numbered(RUN, 6)
