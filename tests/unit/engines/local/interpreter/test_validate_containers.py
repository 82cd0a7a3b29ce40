"""Containers of a Workflow: refused before anything starts if a process cannot be the same."""

from typing import Any

import pytest

from riseml.engines.local.interpreter.validate import check
from tests.unit.engines.local.interpreter.faults import faults_of
from tests.unit.simulator import Simulator
from tests.unit.workflows import dag, job, task, workflow

TEMPLATE = "spec.templates[job]"
VOLUME = {"name": "v", "emptyDir": {}}
MOUNT = {"name": "v", "mountPath": "/v"}


@pytest.mark.parametrize(
    ("container", "message"),
    [
        (
            {"env": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]},
            ".env[A]: the name appears 2 times",
        ),
        (
            {"resources": {"limits": {"ephemeral-storage": "1Gi"}}},
            ".resources.limits.ephemeral-storage: the local engine limits cpu, memory and GPUs only",
        ),
        (
            {"resources": {"requests": {"example.com/fpga": "1"}}},
            ".resources.requests.example.com/fpga: the local engine has no such resource",
        ),
    ],
)
def test_what_a_process_cannot_do_is_refused(
    container: dict[str, Any], message: str
) -> None:
    template = job(container={"volumeMounts": [MOUNT], **container}, volumes=[VOLUME])
    assert f"{TEMPLATE}.container{message}" in faults_of(workflow(template))


@pytest.mark.parametrize("folder", ["/nothing/here", "/v2", "/code"])
def test_a_working_directory_is_in_a_volume(folder: str) -> None:
    container = {"volumeMounts": [MOUNT], "workingDir": folder}
    message = f"{TEMPLATE}: the working directory '{folder}' is in no volume, "
    assert message in faults_of(workflow(job(container=container, volumes=[VOLUME])))


@pytest.mark.parametrize("folder", ["v", "/v/../x", "/v/.."])
def test_a_working_directory_is_an_absolute_path(folder: str) -> None:
    container = {"volumeMounts": [MOUNT], "workingDir": folder}
    message = (
        f"workingDir: '{folder}' is not a path that starts with '/' and has no '..'"
    )
    assert message in faults_of(workflow(job(container=container, volumes=[VOLUME])))


def test_artifacts_are_refused_except_those_of_a_build() -> None:
    artifacts = [{"name": "a", "path": "/a", "raw": {"data": "x"}}]
    template = job(inputs={"artifacts": artifacts})
    assert faults_of(workflow(template)) == (
        f"{TEMPLATE}.inputs.artifacts: the local engine writes no artifacts"
    )
    template["metadata"] = {"labels": {"riseml.io/type": "build"}}
    check(workflow(template))


def test_a_working_directory_in_a_volume_and_gpus_are_accepted() -> None:
    container = {
        "workingDir": "/v/new",
        "volumeMounts": [MOUNT],
        "resources": {
            "requests": {"cpu": "1", "memory": "1Gi", "nvidia.com/gpu": "1"},
            "limits": {"nvidia.com/gpu": "1"},
        },
    }
    check(workflow(job(container=container, volumes=[VOLUME])))


@pytest.mark.parametrize(
    "name", ["nvidia.com/gpu.shared", "nvidia.com/mig-1g.10gb", "nvidia.com/gpucores"]
)
def test_names_of_clusters_for_shares_of_gpus_are_accepted(name: str) -> None:
    check(workflow(job(container={"resources": {"limits": {name: "1"}}})))


MOUNTING = f"{TEMPLATE} mounts 'v' at /v"


def mounting(*mounts: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return job(container={"volumeMounts": list(mounts)}, **fields)


def mount(name: str = "v", path: str = "/v", **fields: Any) -> dict[str, Any]:
    return {"name": name, "mountPath": path, **fields}


def volume(**source: Any) -> dict[str, Any]:
    return {"volumes": [{"name": "v", **source}]}


EMPTY = volume(emptyDir={})
SIDECAR = {
    "name": "s",
    "image": "i",
    "command": ["x"],
    "volumeMounts": [mount(subPath="b")],
}


@pytest.mark.parametrize(
    ("template", "message"),
    [
        (mounting(mount()), f"{MOUNTING}: there is no such volume"),
        (
            mounting(mount(), volumes=EMPTY["volumes"] * 2),
            f"{TEMPLATE}.volumes[v]: the name appears 2 times",
        ),
        (
            mounting(mount(), **volume()),
            f"{MOUNTING}: the volume has 0 sources instead of one",
        ),
        (
            mounting(mount(), **volume(secret={"secretName": "s"}, emptyDir={})),
            f"{MOUNTING}: the volume has 2 sources instead of one",
        ),
        (
            mounting(mount(), **volume(persistentVolumeClaim={"claimName": "other"})),
            "the local engine supports 'riseml-data' and 'riseml-output' and 'riseml-store', not 'other'",
        ),
        (
            mounting(mount(), **volume(secret={"secretName": "login"})),
            f"{MOUNTING}: the local engine does not mount secrets",
        ),
        (
            mounting(mount(), **volume(emptyDir={"medium": "Memory"})),
            f"{MOUNTING}: the local engine has memory at /dev/shm only",
        ),
        (
            mounting(mount(), **volume(emptyDir={"sizeLimit": "1"})),
            f"{TEMPLATE}.volumes[v].emptyDir.sizeLimit: the local engine does not",
        ),
        (
            mounting(mount(path="v"), **EMPTY),
            "volumeMounts[v].mountPath: 'v' is not a path that starts with '/' and has no '..'",
        ),
        (
            mounting(mount(subPath="a/../../b"), **EMPTY),
            "volumeMounts[v].subPath: 'a/../../b' is not a path that stays in its volume",
        ),
        (
            mounting(mount(), mount(subPath="b"), **EMPTY),
            "volumeMounts[/v]: the name appears 2 times",
        ),
        (
            mounting(mount(), **EMPTY, sidecars=[SIDECAR]),
            f"{MOUNTING}: all containers of a template share their mounts, and another one ",
        ),
    ],
)
def test_a_mount_without_a_folder_is_refused(
    template: dict[str, Any], message: str
) -> None:
    assert message in faults_of(workflow(template))


def test_volumes_of_the_template_are_mounted_beside_those_of_the_workflow() -> None:
    template = mounting(
        mount("v"),
        mount("w", "/w"),
        volumes=[{"name": "{{inputs.parameters.n}}", "emptyDir": {}}],
        inputs=["n"],
    )
    main = dag("main", task("a", arguments={"n": "v"}))
    document = workflow(main, template, volumes=[{"name": "w", "emptyDir": {}}])
    simulator = Simulator(document, {})
    simulator.finish()
    (launch,) = simulator.launched
    assert [volume["name"] for volume in launch.volumes] == ["w", "v"]


def test_the_volumes_of_compiled_workflows_are_accepted() -> None:
    check(
        workflow(
            mounting(
                mount("shm", "/dev/shm"),
                mount("data", "/data", subPath="{{workflow.name}}"),
                volumes=[{"name": "shm", "emptyDir": {"medium": "Memory"}}],
            ),
            volumes=[
                {
                    "name": "data",
                    "persistentVolumeClaim": {"claimName": "riseml-data"},
                }
            ],
        )
    )
