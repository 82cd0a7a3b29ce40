"""`build` and `build --explain` on an engine in memory."""

import os
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from riseml import config, planner
from riseml.client.client import Client
from riseml.client.images import Explanation
from riseml.engines import Submission
from riseml.errors import InvalidInputError, UnsupportedError
from riseml.plan import ExperimentSet, Resources, Retries
from riseml.project.image_key import ImageKey
from tests.cli.fake_engine import FakeEngine, single

CONFIG = """\
project: toaster-net
train:
  image: python:3.12
  install: [pip install torch]
  build_files: [setup.py]
  secrets: [TOKEN]
  resources: {cpus: 4, mem: 8000}
  parameters: {lr: [0.1, 0.2]}
  concurrency: 2
  retries: 3
  timeout: 1h
  env: {MODE: fast}
  run: train {{lr}}
"""


class BuildingEngine(FakeEngine):
    """An engine whose image keys are made of the install steps and the base image."""

    def image_key(
        self,
        plan: ExperimentSet,
        revision: str,
        environment: Mapping[str, str],
        base: str | None = None,
    ) -> ImageKey:
        parts = {"base": base or plan.image, "install": "; ".join(plan.install)}
        return ImageKey("key", parts, ())

    def image(self, key: ImageKey) -> str | None:
        return None


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RISEML_HOME", str(tmp_path / "home"))
    path = tmp_path / "riseml.yml"
    path.write_text(CONFIG)
    return path


def built(path: Path) -> Submission:
    """Return what `build` submits."""
    engine = BuildingEngine()
    Client(engine=engine).build(path)
    submission = engine.calls[-1][1]
    assert isinstance(submission, Submission)
    return submission


def test_build_submits_one_job_that_does_nothing(file: Path) -> None:
    plan = built(file).plan
    (job,) = plan.jobs
    assert (job.type, job.run, job.count) == ("train", ("true",), 1)
    assert job.resources == Resources(Decimal("0.1"), 64_000_000, 0)
    assert not job.env
    assert (len(plan.experiments), plan.experiments[0].parameters) == (1, {})
    assert (plan.is_set, plan.concurrency) == (False, 1)
    assert (plan.secrets, plan.retries, plan.timeout) == ((), Retries(), None)


def test_build_keeps_all_that_the_image_depends_on(file: Path) -> None:
    submission = built(file)
    plan = planner.plan(config.load(file))
    for name in ("project", "image", "install", "build_files"):
        assert getattr(submission.plan, name) == getattr(plan, name)
    assert submission.revision == "0" * 40
    assert submission.environment == dict(os.environ)


@pytest.mark.parametrize("framework", ["tensorflow", "pytorch", "horovod"])
def test_build_needs_no_framework(file: Path, framework: str) -> None:
    file.write_text(
        "project: toaster-net\ntrain:\n  image: python:3.12\n  install: [a]\n  run: b\n"
        f"  resources: {{cpus: 1, mem: 64}}\n  framework: {framework}\n"
    )
    plan = built(file).plan
    assert (plan.framework, plan.tensorboard, plan.is_gang) == (None, False, False)


def test_the_run_of_a_build_keeps_the_riseml_yml(file: Path) -> None:
    assert built(file).plan.config == CONFIG


def test_explain_finds_nothing_changed_after_a_build(file: Path) -> None:
    run = replace(single(14), config=built(file).plan.config)
    explanation = Client(engine=BuildingEngine(runs=[run])).explain(file)
    assert {part.change for part in explanation.parts} == {"same"}
    assert explanation.previous_run == "14"


def test_explain_shows_what_changed_since_the_last_run(file: Path) -> None:
    old = CONFIG.replace("torch", "jax")
    run = replace(single(14), config=old, base_image="python:3.12")
    changes = explained(file, BuildingEngine(runs=[run]))
    assert changes == {"base": "same", "install": "changed"}


def test_explain_compares_with_no_run_whose_riseml_yml_is_unreadable(
    file: Path,
) -> None:
    run = replace(single(14), config="project: [")
    assert explained(file, BuildingEngine(runs=[run])) == {
        "base": "new",
        "install": "new",
    }


def explained(path: Path, engine: FakeEngine) -> dict[str, str]:
    explanation: Explanation = Client(engine=engine).explain(path)
    return {part.name: part.change for part in explanation.parts}


def test_without_install_steps_there_is_nothing_to_build(file: Path) -> None:
    file.write_text(CONFIG.replace("  install: [pip install torch]\n", ""))
    with pytest.raises(InvalidInputError, match="nothing to build"):
        built(file)


def test_an_engine_that_builds_no_images_explains_none(file: Path) -> None:
    with pytest.raises(UnsupportedError):
        Client(engine=FakeEngine()).explain(file)
