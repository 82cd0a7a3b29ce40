"""Pods that were deleted: what Argo's document and the marks of the run script say of their jobs."""

import pytest

from riseml.status import ExperimentStatus, State, job_files
from tests.unit.documents import first, made

TERMINATED = {"phase": "Failed", "message": "main: Error (exit code 143)", "code": 143}


def marked(experiment: ExperimentStatus, words: str) -> ExperimentStatus:
    """Return an experiment whose job has left a mark."""
    return job_files.add_to(experiment, {"pod.train.0": f"{words}\n"})


def test_a_job_whose_pod_argo_made_again_was_started_anew() -> None:
    # Argo keeps its message of the first pod.
    experiment = first(made({"phase": "Running", "message": "pod deleted"}))
    assert experiment.state is State.RUNNING
    message = "started anew after its pod was deleted"
    assert experiment.jobs[0].message == message
    assert marked(experiment, "running anew").notes == (f"14.1.train was {message}",)


def test_a_job_whose_pod_is_gone_says_that_it_was_deleted_externally() -> None:
    experiment = first(made({"phase": "Error", "message": "pod deleted"}))
    assert (experiment.state, experiment.reason) == (State.FAILED, "DELETED")
    assert experiment.message == "pod deleted externally"


@pytest.mark.parametrize(
    ("words", "reason", "message"),
    [
        ("ended stopped", "DELETED", "pod deleted externally"),
        # The program itself ended with this code.
        ("ended", "ERROR", "exit code 143 (terminated)"),
    ],
)
def test_a_signal_of_nobody_is_a_deletion(
    words: str, reason: str, message: str
) -> None:
    experiment = marked(first(made(TERMINATED)), words)
    assert (experiment.reason, experiment.message) == (reason, message)
    assert (experiment.jobs[0].reason, experiment.exit_code) == (reason, 143)
