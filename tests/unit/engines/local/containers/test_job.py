"""A pod becomes a call of podman or docker: mounts, variables, limits and devices."""

import itertools
import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from riseml import labels
from riseml.engines.local.containers import job
from riseml.engines.local.containers.program import ContainerProgram
from riseml.engines.local.jobs.launcher import Mount, ProcessSpec, Step
from riseml.engines.local.jobs.pod_to_process import PreparedPod
from riseml.errors import UnsupportedError
from riseml.gpus import Gpu

PODMAN = ContainerProgram("podman", "/usr/bin/podman", {"PATH": "/bin", "HOME": "/h"})
DOCKER = ContainerProgram("docker", "/usr/bin/docker", {"PATH": "/bin"})
MOUNTS = [{"mountPath": path} for path in ("/code", "/data", "/output", "/a:b")]
KEY = "0123456789ab:14:mnist-14-1-train"


def template(**container: Any) -> dict[str, Any]:
    return {
        "name": "train",
        "metadata": {"labels": {labels.EXPERIMENT: "1", labels.TYPE: "train"}},
        "container": {"image": "python:3.12", "volumeMounts": MOUNTS, **container},
    }


def prepared(folder: Path, *mounts: Mount, **env: str) -> PreparedPod:
    directory = folder / "pod"
    log = folder / "train.0.log"
    main = Step(("sh", "-c", "text", "line"), env, "/code", str(log))
    spec = ProcessSpec(KEY, str(directory), main, mounts=mounts)
    return PreparedPod(spec, log, {}, (log.parent, directory))


def document(pod: PreparedPod) -> dict[str, Any]:
    (_, text), (record, _) = pod.files
    assert record.parent == Path("/home/a/containers")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def options(
    pod: PreparedPod,
    program: ContainerProgram = PODMAN,
    gpus: tuple[Gpu, ...] = (),
    **container: Any,
) -> list[str]:
    made = job.contained(pod, template(**container), program, Path("/home/a"), gpus)
    words: list[str] = document(made)["options"]
    return words


def values_of(option: str, words: list[str]) -> list[str]:
    return [value for name, value in itertools.pairwise(words) if name == option]


def test_a_job_has_its_mounts_and_nothing_else_of_the_machine(tmp_path: Path) -> None:
    layers = ("redirect_dir=on", "/work", "/lower")
    pod = prepared(
        tmp_path,
        Mount("/d", "/data", read_only=True),
        Mount("/o", "/output"),
        Mount("/s", "/store", read_only=True),
        Mount("/upper", "/code", layers=layers),
    )
    assert values_of("--volume", options(pod)) == [
        "/d:/data:ro",
        "/o:/output",
        "/lower:/code:O,upperdir=/upper,workdir=/work",
        f"{tmp_path}/pod/container:/.riseml",
        f"{tmp_path}/train.0.log:/.riseml/log",
    ]


def test_docker_mounts_an_overlay_by_a_volume(tmp_path: Path) -> None:
    layers = ("redirect_dir=on", "/work", "/lower")
    pod = prepared(tmp_path, Mount("/upper", "/code", layers=layers))
    assert values_of("--mount", options(pod, DOCKER)) == [
        (
            "type=volume,destination=/code,volume-driver=local,volume-opt=type=overlay,"
            "volume-opt=device=overlay,"
            '"volume-opt=o=lowerdir=/lower,upperdir=/upper,workdir=/work"'
        )
    ]


def test_values_of_variables_are_not_on_the_command_line(tmp_path: Path) -> None:
    pod = prepared(tmp_path, WANDB_API_KEY="hidden", HOME="/root")
    made = job.contained(pod, template(), PODMAN, Path("/home/a"), ())
    assert values_of("--env", document(made)["options"]) == [
        "WANDB_API_KEY",
        "HOME=/root",
        "ARGO_PROGRESS_FILE",
        "RISEML_JOB_KEY",
    ]
    assert "hidden" not in json.dumps(document(made))
    # The attendant has the values, and what the program itself needs.
    env = made.spec.main.env
    assert env["WANDB_API_KEY"] == "hidden"
    assert (env["HOME"], env["PATH"]) == ("/h", "/bin")
    assert env["ARGO_PROGRESS_FILE"] == "/.riseml/progress"
    assert env["RISEML_JOB_KEY"] == KEY


def test_a_log_of_a_job_with_secrets_is_not_mounted(tmp_path: Path) -> None:
    pod = prepared(tmp_path)
    masked = replace(pod, spec=replace(pod.spec, secrets=("x",)))
    assert values_of("--volume", options(masked)) == [
        f"{tmp_path}/pod/container:/.riseml"
    ]


def test_memory_is_a_limit_and_cpus_are_a_share_as_on_a_cluster(
    tmp_path: Path,
) -> None:
    requests = {"cpu": "500m", "memory": "128M"}
    made = job.contained(
        prepared(tmp_path),
        template(resources={"requests": requests}),
        PODMAN,
        Path("/home/a"),
        (),
    )
    assert document(made)["limits"] == [
        "--cpu-shares",
        "512",
        "--memory",
        "128000000b",
    ]
    assert Decimal("0.5") * 1024 == 512


def test_gpus_are_devices_of_the_container(tmp_path: Path) -> None:
    gpus = (Gpu("GPU-1a", 0), Gpu("GPU-2b", 1))
    pod = prepared(tmp_path, CUDA_VISIBLE_DEVICES="GPU-1a,GPU-2b")
    words = options(pod, PODMAN, gpus)
    assert values_of("--device", words) == [
        "nvidia.com/gpu=GPU-1a",
        "nvidia.com/gpu=GPU-2b",
    ]
    assert "CUDA_VISIBLE_DEVICES" in words
    words = options(pod, DOCKER, gpus)
    assert values_of("--gpus", words) == ['"device=GPU-1a,GPU-2b"']


def test_cards_with_numbers_are_numbered_anew_in_the_container(
    tmp_path: Path,
) -> None:
    pod = prepared(tmp_path, CUDA_VISIBLE_DEVICES="3")
    words = options(pod, PODMAN, (Gpu("3", 3),))
    assert values_of("--device", words) == ["nvidia.com/gpu=3"]
    assert "CUDA_VISIBLE_DEVICES" not in words


def test_amd_cards_are_devices_too(tmp_path: Path) -> None:
    words = options(prepared(tmp_path), PODMAN, (Gpu("0", 0, vendor="amd"),))
    assert values_of("--device", words) == ["/dev/kfd", "/dev/dri"]


def test_a_path_that_no_program_can_mount_is_refused(tmp_path: Path) -> None:
    pod = prepared(tmp_path, Mount("/a:b", "/a:b"))
    with pytest.raises(UnsupportedError, match="podman cannot mount /a:b"):
        options(pod)


def test_the_attendant_takes_the_place_of_the_command(tmp_path: Path) -> None:
    made = job.contained(prepared(tmp_path), template(), PODMAN, Path("/home/a"), ())
    assert made.spec.main.argv[-2:] == ("attendant", f"{tmp_path}/pod")
    assert made.spec.main.cwd == f"{tmp_path}/pod"
    assert made.spec.mounts == ()
    written = document(made)
    assert written["argv"] == ["sh", "-c", "text", "line"]
    assert (written["image"], written["kind"]) == ("python:3.12", "podman")
    assert written["name"].startswith("riseml-14-mnist-14-1-train-")
    assert tmp_path / "pod/container" in made.folders


def test_only_jobs_of_experiments_are_contained() -> None:
    assert job.is_containable(template())
    assert not job.is_containable(template(image="riseml-env:0123"))
    tensorboard = template()
    tensorboard["metadata"] = {"labels": {labels.TYPE: "tensorboard"}}
    assert not job.is_containable(tensorboard)


def test_names_differ_between_homes() -> None:
    other = KEY.replace("0123", "4567")
    assert job.container_name(KEY) != job.container_name(other)
