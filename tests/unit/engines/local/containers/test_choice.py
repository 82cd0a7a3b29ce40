"""Which runner a run gets, and what its user is told about it."""

from dataclasses import replace
from pathlib import Path

import pytest

from riseml.engines.local.containers import detection, registries
from riseml.engines.local.containers.choice import Choice, Chooser
from riseml.errors import UnsupportedError
from riseml.plan import ExperimentSet, Job, Resources
from tests.unit.engines.local.containers.fake_programs import (
    DOCKER_INFO,
    NO_DAEMON,
    PODMAN_INFO,
    Programs,
    image,
)
from tests.unit.plans import single

TORCH = "pytorch/pytorch:2.5"
TORCH_IMAGE = image(f"docker.io/{TORCH}", "1")


@pytest.fixture
def programs(tmp_path: Path) -> Programs:
    return Programs(tmp_path / "programs")


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registries, "digest", lambda _image: "")


def plan(image: str = TORCH, *, names_image: bool = True) -> ExperimentSet:
    return replace(single(), image=image, names_image=names_image)


def choose(programs: Programs, plan: ExperimentSet, runner: str = "auto") -> Choice:
    home = programs.folder.parent / "home"
    home.mkdir(exist_ok=True)
    return Chooser(home, programs.environment).choose(runner, plan)


def test_auto_runs_a_present_image_in_podman(programs: Programs) -> None:
    programs.podman(images={TORCH: TORCH_IMAGE})
    programs.docker(images={TORCH: TORCH_IMAGE})
    choice = choose(programs, plan())
    assert choice.runner.name == "podman"
    assert str(choice.runner) == (
        "podman 5.1.2, because riseml.yml names pytorch/pytorch:2.5"
    )
    assert choice.image is not None
    assert choice.image.id == f"sha256:{'ab' * 32}"
    assert choice.image.digests == (f"sha256:{'1' * 64}",)


@pytest.mark.parametrize(
    "bare",
    ["python:3.12-slim", "busybox", "docker.io/library/python:3", "debian@sha256:00"],
)
def test_auto_runs_processes_for_a_bare_image(programs: Programs, bare: str) -> None:
    programs.podman()
    choice = choose(programs, plan(bare))
    assert (choice.runner.name, choice.runner.is_notable) == ("process", False)
    assert programs.calls() == []


def test_auto_runs_processes_if_the_image_is_only_that_of_the_framework(
    programs: Programs,
) -> None:
    programs.podman(images={TORCH: TORCH_IMAGE})
    choice = choose(programs, plan(names_image=False))
    assert str(choice.runner) == "process, because riseml.yml names no image"


def test_auto_runs_processes_without_a_container_engine(programs: Programs) -> None:
    programs.docker(info={}, errors=[NO_DAEMON])
    choice = choose(programs, plan())
    assert choice.runner.is_notable
    assert str(choice.runner) == (
        "process, because pytorch/pytorch:2.5 cannot run here (podman: it is not"
        " installed; docker: its daemon does not run)"
    )


def test_auto_takes_docker_where_podman_does_not_work(programs: Programs) -> None:
    programs.fail("podman", "Error: no subuid ranges found for user")
    programs.docker(images={TORCH: TORCH_IMAGE})
    assert str(choose(programs, plan()).runner).startswith("docker 27.3.1, because")


def test_auto_runs_processes_if_an_absent_image_cannot_be_pulled(
    programs: Programs,
) -> None:
    programs.podman()
    choice = choose(programs, plan())
    assert str(choice.runner) == (
        "process, because pytorch/pytorch:2.5 cannot run here (podman: the image is not"
        " here, and docker.io does not offer it; `--runner podman` tries it anyway;"
        " docker: it is not installed)"
    )


def test_auto_pulls_an_absent_image_that_its_registry_has(
    programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs.podman()
    monkeypatch.setattr(registries, "digest", lambda _image: "sha256:2")
    choice = choose(programs, plan())
    assert (choice.runner.name, choice.image) == ("podman", None)
    assert choice.digest == "sha256:2"


def test_auto_pulls_from_a_registry_that_the_user_is_logged_in_to(
    programs: Programs,
) -> None:
    programs.podman()
    login = programs.folder / ".config/containers/auth.json"
    login.parent.mkdir(parents=True)
    login.write_text('{"auths": {"registry.example.com": {"auth": "x"}}}')
    own = plan("registry.example.com/me/net:1")
    assert choose(programs, own).runner.name == "podman"
    assert choose(programs, plan()).runner.name == "process"


def test_auto_runs_processes_for_gpus_that_containers_cannot_get(
    programs: Programs, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    programs.podman(images={TORCH: TORCH_IMAGE})
    monkeypatch.setattr(
        "riseml.engines.local.containers.choice._CDI_FOLDERS", (str(tmp_path / "cdi"),)
    )
    job = Job("train", ("true",), Resources(gpus=1))
    with_gpu = replace(plan(), jobs=(job,))
    choice = choose(programs, with_gpu)
    assert choice.runner.name == "process"
    assert "`nvidia-ctk cdi generate --help`" in choice.runner.reason
    (tmp_path / "cdi").mkdir()
    (tmp_path / "cdi" / "nvidia.yaml").touch()
    assert choose(programs, with_gpu).runner.name == "podman"


def test_a_moving_tag_whose_registry_does_not_answer_stays_what_is_here(
    programs: Programs,
) -> None:
    moving = "pytorch/pytorch:latest"
    programs.podman(images={moving: image("docker.io/pytorch/pytorch:latest", "1")})
    choice = choose(programs, plan(moving))
    assert choice.is_unanswered
    assert choice.image is not None


@pytest.mark.parametrize(
    ("complaint", "message", "advice"),
    [
        (NO_DAEMON, "its daemon does not run", "systemctl start docker"),
        (
            "Got permission denied while trying to connect to the Docker daemon socket",
            "you may not use its socket",
            "usermod -aG docker",
        ),
        ("strange", "strange", "`docker info` shows more"),
    ],
)
def test_a_docker_that_the_user_names_must_work(
    programs: Programs, complaint: str, message: str, advice: str
) -> None:
    programs.docker(info={}, errors=[complaint])
    with pytest.raises(UnsupportedError) as failure:
        choose(programs, plan(), "docker")
    assert str(failure.value) == f"the runner docker does not work: {message}"
    assert advice in failure.value.advice


def test_a_rootless_podman_needs_a_range_of_user_ids(programs: Programs) -> None:
    host = {
        "security": {"rootless": True},
        "idMappings": {"uidmap": [{"container_id": 0, "host_id": 1000, "size": 1}]},
    }
    programs.podman(info={**PODMAN_INFO, "host": host})
    with pytest.raises(UnsupportedError) as failure:
        choose(programs, plan(), "podman")
    assert "your user has no range of user ids" in str(failure.value)
    assert "--add-subuids" in failure.value.advice


def test_a_program_that_the_user_names_must_be_installed(programs: Programs) -> None:
    with pytest.raises(UnsupportedError) as failure:
        choose(programs, plan(), "podman")
    assert str(failure.value) == "the runner podman does not work: it is not installed"
    assert "apt-get install podman" in failure.value.advice


def test_an_image_that_the_user_orders_may_be_absent(programs: Programs) -> None:
    programs.docker()
    choice = choose(programs, plan("busybox"), "docker")
    assert str(choice.runner) == "docker 27.3.1"
    assert (choice.image, choice.digest) == (None, "")


def test_a_podman_whose_storage_is_in_use_works(
    programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs.podman(images={TORCH: TORCH_IMAGE})
    programs.delay("podman", "info")
    monkeypatch.setattr(detection, "_TIMEOUT_SECONDS", 0.3)
    assert str(choose(programs, plan(), "podman").runner) == "podman 5.1.2"


def test_a_daemon_that_does_not_answer_does_not_work(
    programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs.docker()
    programs.delay("docker", "info")
    monkeypatch.setattr(detection, "_TIMEOUT_SECONDS", 0.3)
    with pytest.raises(UnsupportedError, match="`docker info` does not end within"):
        choose(programs, plan(), "docker")


def test_an_engine_is_asked_once_in_some_minutes(programs: Programs) -> None:
    programs.docker(images={TORCH: TORCH_IMAGE}, info=DOCKER_INFO)
    choose(programs, plan())
    choose(programs, plan())
    asked = [call for call in programs.calls() if call.startswith("docker info")]
    assert len(asked) == 1
    # A runner that the user names is asked again.
    choose(programs, plan(), "docker")
    asked = [call for call in programs.calls() if call.startswith("docker info")]
    assert len(asked) == 2


def test_an_engine_is_asked_again_when_its_settings_change(programs: Programs) -> None:
    programs.docker(info={}, errors=[NO_DAEMON])
    assert choose(programs, plan()).runner.name == "process"
    programs.docker(images={TORCH: TORCH_IMAGE})
    programs.environment["DOCKER_HOST"] = "unix:///run/other.sock"
    assert choose(programs, plan()).runner.name == "docker"
