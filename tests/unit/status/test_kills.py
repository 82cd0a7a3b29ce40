"""Kills: those that count for a job, and those that Argo's own commands made."""

from typing import Any

import pytest

from riseml import status
from riseml.status import State
from tests.unit.documents import Document, first, killed, made

# The node of a job starts at 00:00:10 and ends at 00:01:00.
KILLED_BEFORE = "*=2025-12-31T23:50:00Z"


def retried(entries: str, **fields: Any) -> Document:
    """Return a run that was killed, and whose job Argo has started anew."""
    return killed(made(fields, phase="Succeeded"), entries)


def test_a_kill_older_than_the_start_of_a_job_is_none_of_that_job() -> None:
    experiment = first(retried(KILLED_BEFORE, phase="Succeeded", code=0))
    assert (experiment.state, experiment.reason) == (State.FINISHED, "COMPLETED")


def test_a_job_that_fails_after_a_retry_has_failed() -> None:
    failed = {"phase": "Failed", "message": "main: Error (exit code 3)", "code": 3}
    experiment = first(retried(KILLED_BEFORE, **failed))
    assert (experiment.state, experiment.exit_code) == (State.FAILED, 3)


@pytest.mark.parametrize("message", ["main: Error (exit code 143)", ""])
def test_a_second_kill_counts_after_a_retry(message: str) -> None:
    entries = f"{KILLED_BEFORE},*=2026-01-01T00:00:50Z"
    ended = {"phase": "Failed", "message": message, "code": 143}
    assert first(retried(entries, **ended)).state is State.KILLED


def test_a_pod_made_just_after_a_kill_is_killed_by_it() -> None:
    ended = {"phase": "Failed", "message": "main: Error (exit code 143)", "code": 143}
    assert first(retried("1=2026-01-01T00:00:09Z", **ended)).state is State.KILLED


TERMINATED = {
    "phase": "Failed",
    "message": "workflow shutdown with strategy:  Terminate",
    "code": 143,
}
ACTOR = "workflows.argoproj.io/actor"
BY_SERVER = {"workflows.argoproj.io/action": "Terminate"}


@pytest.mark.parametrize(
    ("labels", "person"),
    [
        ({}, ""),
        ({**BY_SERVER, ACTOR: "1f3a"}, " by 1f3a"),
        (
            {**BY_SERVER, ACTOR: "1f3a", f"{ACTOR}-preferred-username": "ida"},
            " by ida",
        ),
        (
            {**BY_SERVER, ACTOR: "1f3a", f"{ACTOR}-email": "ida.at.example.com"},
            " by ida@example.com",
        ),
        # The labels describe another action, after which somebody used kubectl.
        ({"workflows.argoproj.io/action": "Resume", ACTOR: "1f3a"}, ""),
    ],
)
def test_who_stopped_a_run_with_argo_is_named(
    labels: dict[str, str], person: str
) -> None:
    document = killed(made(TERMINATED, phase="Failed"), "", shutdown="Terminate")
    document["metadata"]["labels"] |= labels
    run = status.read(document)
    assert run.state is State.KILLED
    message = f"stopped with Argo{person} (`argo terminate`)"
    assert [run.message, run.experiments[0].message] == [message, message]


def test_a_kill_of_riseml_is_not_argos() -> None:
    kill = "*=2026-01-01T00:00:50Z"
    document = killed(made(TERMINATED, phase="Failed"), kill, shutdown="Terminate")
    assert first(document).message == ""
