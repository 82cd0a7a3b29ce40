"""Where the output of runs is that Argo's artifact repository keeps, as a real cluster shows it."""

import json
from pathlib import Path
from typing import Any

import pytest

from riseml import status
from riseml.status import State, saved_output

FIXTURE = Path(__file__).parents[2] / "fixtures/storage/saved-output.json"


@pytest.fixture
def document() -> dict[str, Any]:
    """A gang of two jobs that succeeded in its second attempt."""
    content: dict[str, Any] = json.loads(FIXTURE.read_text("utf-8"))
    return content


def test_each_job_of_an_experiment_has_an_archive(document: dict[str, Any]) -> None:
    run = status.read(document)
    assert run.state is State.FINISHED
    (experiment,) = run.experiments
    assert [job.attempt for job in experiment.jobs] == [1, 1]
    assert experiment.notes == (
        "the output is at s3://riseml/squashed-2/squashed-2-master-1850654007/output.tgz",
        "the output is at s3://riseml/squashed-2/squashed-2-worker-174744715/output.tgz",
    )


def test_output_in_a_volume_needs_no_note(document: dict[str, Any]) -> None:
    del document["spec"]["archiveLogs"]
    assert status.read(document).experiments[0].notes == ()


def test_other_object_stores_have_other_addresses() -> None:
    repository = {"gcs": {"bucket": "lab"}}
    document = {
        "spec": {"archiveLogs": True},
        "status": {"artifactRepositoryRef": {"artifactRepository": repository}},
    }
    artifact = {"name": "output", "gcs": {"key": "mnist-1/output.tgz"}}
    saved: dict[str, Any] = {"outputs": {"artifacts": [artifact]}}
    nodes = [saved, {"outputs": {}}]
    notes = saved_output.notes(document, nodes)
    assert notes == ("the output is at gcs://lab/mnist-1/output.tgz",)
