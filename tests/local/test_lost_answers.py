"""Requests whose controller is killed before it answers: each is carried out once, and answered by the next one."""

from pathlib import Path

import pytest

from riseml.engines.local import protocol
from riseml.errors import NotFoundError
from riseml.ids import Id
from riseml.status import State
from tests.local.conftest import Lab
from tests.local.mortal_controller import Step, set_trap

_CONTROLLER = "riseml.engines.local.controller"


@pytest.mark.parametrize(
    ("step", "call"),
    [
        (f"{_CONTROLLER}.submit:Submitter.start", 1),
        ("riseml.engines.local.store:Store.add_run", 1),
        (f"{_CONTROLLER}.submit:Submitter._begin", 1),
        (f"{_CONTROLLER}.run_record:RunRecord.write", 1),
        (f"{_CONTROLLER}.server:_send", 2),
    ],
)
def test_a_submission_is_recorded_once(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, call: int
) -> None:
    trap = set_trap(monkeypatch, tmp_path, Step(step))
    trap.arm(call)
    submitted = lab.train(f"run: echo once >> {tmp_path}/ran")
    assert trap.has_snapped
    assert (submitted.number, submitted.name) == (1, "lab-1")
    assert (submitted.is_set, submitted.experiments) == (False, 1)
    assert lab.wait(1).state is State.FINISHED
    assert (tmp_path / "ran").read_text() == "once\n"
    assert lab.train("run: 'true'").number == 2
    assert lab.wait(2).state is State.FINISHED


@pytest.mark.parametrize(
    "step",
    [f"{_CONTROLLER}.runs:ActiveRuns.delete", f"{_CONTROLLER}.server:_send"],
)
def test_a_run_is_deleted_once(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    trap = set_trap(monkeypatch, tmp_path, Step(step))
    lab.run("run: 'true'")
    folder = lab.output(1)
    # The first message of a connection is the greeting.
    trap.arm(2 if step.endswith("_send") else 1)
    lab.engine.delete(Id(number=1))
    assert trap.has_snapped
    assert not folder.exists()
    with pytest.raises(NotFoundError):
        lab.engine.read(Id(number=1))


def test_a_request_that_kills_every_controller_is_given_up(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is repeated with `again`, five times at most."""
    requests = []

    def lose(home: Path, act: str, **arguments: object) -> None:
        requests.append((act, arguments))
        raise protocol.AnswerLostError(f"{home}: exited before answering")

    monkeypatch.setattr(protocol, "call", lose)
    with pytest.raises(protocol.AnswerLostError, match="before answering"):
        protocol.call_until_answered(lab.engine.home, "delete", number=1)
    repeated = ("delete", {"number": 1, "again": True})
    assert requests == [("delete", {"number": 1}), *[repeated] * 4]
