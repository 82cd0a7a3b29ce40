"""Explanation of jobs whose output Argo could not save, with the messages of a real cluster."""

import pytest

from riseml.status import State
from tests.unit.diagnosis.test_diagnosis import job, why

NONE = (
    "wait: Error (exit code 64): artifact storage is not configured; see the docs for setup instructions:"
    " https://argo-workflows.readthedocs.io/en/latest/configure-artifact-repository/;"
)
NO_BUCKET = "wait: Error (exit code 64): failed to put file: The specified bucket does not exist;"


@pytest.mark.parametrize(
    ("message", "explanation"),
    [
        (
            NONE,
            "its commands have ended, but Argo's artifact repository does not exist",
        ),
        (
            NO_BUCKET,
            "its commands have ended, but Argo's artifact repository refuses the output of the job",
        ),
    ],
)
def test_output_that_was_not_saved_is_explained(message: str, explanation: str) -> None:
    cause = why(job("PLATFORM", message, state=State.FAILED))
    assert cause.explanation == explanation
    assert cause.evidence == (message,)
    (advice,) = cause.fix
    assert "ConfigMap artifact-repositories of the namespace" in advice


def test_other_failures_of_the_executor_are_not() -> None:
    message = "wait: Error (exit code 64): workflowtaskresults is forbidden"
    assert why(job("PLATFORM", message, state=State.FAILED)).kind == "RIGHTS"
