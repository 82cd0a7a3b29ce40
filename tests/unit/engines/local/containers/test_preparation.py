"""How the jobs of a run in containers get their image."""

from dataclasses import replace
from pathlib import Path

import pytest

from riseml.engines import Submission
from riseml.engines.capabilities import RunnerChoice
from riseml.engines.local import run_runner
from riseml.engines.local.containers import preparation, registries
from riseml.engines.local.containers.choice import Choice
from riseml.engines.local.containers.images import LocalImage
from riseml.engines.local.containers.preparation import Preparation, Preparer
from riseml.engines.local.containers.program import ContainerProgram
from riseml.engines.local.engine import LocalEngine
from riseml.engines.local.serialize import build_from_data, build_to_data
from riseml.plan import Build, BuildStep, ExperimentSet
from riseml.project.image_key import image_key
from riseml.project.project_files import ProjectFiles
from tests.unit.engines.local.containers.fake_programs import Programs, image
from tests.unit.plans import single

TORCH = "pytorch/pytorch:2.5"
ONE, TWO = f"sha256:{'1' * 64}", f"sha256:{'2' * 64}"
ID = f"sha256:{'ab' * 32}"
PRESENT = LocalImage(ID, (ONE,))
FILES = ProjectFiles({"setup.py": "100644 0123"}, lambda _path: "")
PLAN = replace(single(), image=TORCH, names_image=True)
WITH_STEPS = replace(PLAN, install=("pip install .",))


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Programs:
    monkeypatch.setattr(preparation, "project_files", lambda *_arguments: FILES)
    monkeypatch.setattr(registries, "digest", lambda _image: "")
    programs = Programs(tmp_path / "programs")
    programs.podman(images={TORCH: image(f"docker.io/{TORCH}", "1")})
    return programs


def prepare(
    programs: Programs,
    plan: ExperimentSet = PLAN,
    present: LocalImage | None = PRESENT,
    digest: str = "",
    base: str = "",
) -> Preparation:
    program = ContainerProgram.find("podman", programs.environment)
    assert program is not None
    is_unanswered = present is not None and plan.image.endswith("latest") and not digest
    choice = Choice(RunnerChoice("podman"), program, present, digest, is_unanswered)
    preparer = Preparer(program, programs.folder, "0123")
    return preparer.prepare(plan, choice, base)


def test_a_present_image_runs_by_its_id(programs: Programs) -> None:
    build = prepare(programs).build
    assert (build.image, build.base) == (ID, f"{TORCH}@{ONE}")


def test_an_absent_image_is_pulled_by_the_digest_that_its_registry_tells(
    programs: Programs,
) -> None:
    build = prepare(programs, present=None, digest=TWO).build
    assert (build.image, build.base) == (None, f"{TORCH}@{TWO}")


def test_an_image_whose_registry_wants_a_login_is_pulled_by_its_tag(
    programs: Programs,
) -> None:
    build = prepare(programs, present=None).build
    assert (build.image, build.base) == (None, TORCH)


def test_an_image_whose_tag_has_moved_is_pulled_again(programs: Programs) -> None:
    moved = prepare(programs, digest=TWO)
    assert (moved.build.image, moved.build.base) == (None, f"{TORCH}@{TWO}")
    assert prepare(programs, digest=ONE).build.image == ID


def test_a_moving_tag_without_an_answer_is_noted(programs: Programs) -> None:
    latest = replace(PLAN, image="pytorch/pytorch:latest")
    prepared = prepare(programs, latest)
    assert prepared.build.image == ID
    (note,) = prepared.notes
    assert note == (
        "pytorch/pytorch:latest may have changed: its registry does not answer, so the"
        " image that is here is used."
    )


def test_a_repetition_has_the_image_of_its_run(programs: Programs) -> None:
    base = f"{TORCH}@{TWO}"
    build = prepare(programs, base=base).build
    # The tag points to another image now.
    assert (build.image, build.base) == (None, base)
    programs.podman(images={f"pytorch/pytorch@{TWO}": image(f"docker.io/{TORCH}", "2")})
    assert prepare(programs, base=base).build.image == ID
    # An image that was never pushed is known by its id alone.
    programs.podman(images={"ab" * 32: image("localhost/net:1")})
    assert prepare(programs, base=f"localhost/net:1@{ID}").build.image == ID


def test_install_steps_have_the_key_that_they_have_on_a_cluster(
    programs: Programs,
) -> None:
    build = prepare(programs, replace(WITH_STEPS, isolated=True)).build
    key = image_key(WITH_STEPS, FILES, base=f"{TORCH}@{ONE}")
    assert (build.key, build.steps) == (key.text, key.steps)
    assert build.image is None
    built = image("localhost/riseml/x")
    programs.podman(images={f"localhost/riseml/{key.text}": built})
    assert prepare(programs, WITH_STEPS).build.image == ID


def test_a_build_arrives_at_the_controller_unchanged() -> None:
    steps = (BuildStep("make", ("a", "b"), "0b", ("a/c",), is_editable=True),)
    build = Build("0a", steps, None, f"{TORCH}@{ONE}")
    assert build_from_data(build_to_data(build)) == build
    assert build_from_data(build_to_data(None)) is None


def test_the_controller_gets_the_runner_and_the_build(programs: Programs) -> None:
    submission = Submission(WITH_STEPS, "0123", programs.environment)
    home = programs.folder.parent / "home"
    runner = run_runner.prepare(home, submission, "auto")
    assert runner.prepares
    data = runner.to_data()
    assert (data["name"], data["is_explained"]) == ("podman", True)
    assert runner.build is not None
    assert data["build"]["key"] == runner.build.key
    assert list(runner.all_notes(submission)) == []
    # `prune` finds when the image was used last.
    assert (home / "images" / runner.build.key).exists()


def test_the_key_of_an_image_is_that_of_the_runner(
    programs: Programs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", programs.environment["PATH"])
    engine = LocalEngine(tmp_path / "home", "me", "podman")
    key = engine.image_key(WITH_STEPS, "0123", programs.environment)
    assert key == image_key(WITH_STEPS, FILES, base=f"{TORCH}@{ONE}")
    assert engine.image(key) is None
    built = image("localhost/riseml/x")
    programs.podman(images={f"localhost/riseml/{key.text}": built})
    assert engine.image(key) == f"localhost/riseml/{key.text}"
    choice = engine.choose_runner(WITH_STEPS, "", programs.environment)
    assert str(choice) == "podman 5.1.2"
