"""Documents of a cluster where Argo's artifact repository keeps output."""

from typing import Any

import pytest

from riseml.compiler import artifact_output
from riseml.errors import UnsupportedError
from riseml.plan import EarlyStop, Experiment, Job, Resources, Target
from tests.unit.plans import ORIGIN, grid, single, template

ARCHIVE = "H4sIAAAAAAAAA"
TARGET = Target(saves_artifacts=True)


def document_of(plan: Any) -> dict[str, Any]:
    return artifact_output.compile_with_code(plan, ORIGIN, TARGET, ARCHIVE)


def test_argo_saves_the_output_of_each_job() -> None:
    document = document_of(grid({"lr": "0.1"}, {"lr": "0.2"}))
    spec, train = document["spec"], template(document, "train")
    assert spec["archiveLogs"]
    assert not any("persistentVolumeClaim" in volume for volume in spec["volumes"])
    assert {"name": "output", "emptyDir": {}} in spec["volumes"]
    output = {"name": "output", "path": "/output", "optional": True}
    assert output in train["outputs"]["artifacts"]
    mounts = {mount["mountPath"]: mount for mount in train["container"]["volumeMounts"]}
    assert "subPath" not in mounts["/output"]


def test_the_document_contains_the_code_and_keeps_its_account() -> None:
    document = document_of(single())
    train = template(document, "train")
    variables = {entry["name"]: entry["value"] for entry in train["container"]["env"]}
    assert variables["RISEML_ARCHIVE_0"] == ARCHIVE
    assert "initContainers" not in train
    assert document["spec"]["serviceAccountName"] == "riseml-job"
    assert document["spec"]["executor"] == {"serviceAccountName": "riseml-job"}
    # So it is listed, killed and removed like any other run.
    assert document["metadata"]["name"] == "mnist-14"


def test_install_steps_run_in_the_job() -> None:
    document = document_of(single(install=("pip install x",)))
    names = {body["name"] for body in document["spec"]["templates"]}
    assert "build" not in names
    script = template(document, "train")["container"]["args"][0]
    assert "riseml_install 'pip install x'" in script


def test_a_gang_is_one_document() -> None:
    jobs = (
        Job("master", ("train",), Resources()),
        Job("worker", ("train",), Resources()),
    )
    document = document_of(single(jobs=jobs))
    assert document["kind"] == "Workflow"
    outputs = template(document, "worker")["outputs"]["artifacts"]
    assert outputs[0]["name"] == "output"


@pytest.mark.parametrize(
    ("changes", "subject"),
    [
        ({"hold": 60}, "`hold_on_failure`"),
        ({"early_stop": EarlyStop((3,), 9)}, "a search that stops experiments early"),
        (
            {"experiments": (Experiment(1, {}, resume="me/mnist/13"),)},
            "an experiment that continues from the output of another one",
        ),
    ],
)
def test_what_needs_a_volume_is_refused(changes: Any, subject: str) -> None:
    artifact_output.check(single())
    with pytest.raises(UnsupportedError) as error:
        artifact_output.check(single(**changes))
    assert str(error.value).startswith(f"{subject} needs an output volume")
    assert error.value.advice.startswith("An administrator can give the cluster one")
