"""Planning: from a riseml.yml to experiments and jobs."""

from decimal import Decimal

import pytest

from riseml.config import load_text
from riseml.errors import InvalidInputError, UnsupportedError
from riseml.plan import Experiment, ExperimentSet, Job, Resources, Retries
from riseml.planner import plan
from tests.riseml_yml import jobs_of

ALL = """
project: toaster-net
train:
  image: python:3.12
  resources: {cpus: 2, mem: 4Gi, gpus: 1}
  install: pip install x
  build_files: setup.py
  parameters: {lr: [1e-6, 0.10], depth: {range: {min: 2, max: 3, step: 1}}}
  concurrency: 3
  env: {MODE: "{{lr}}"}
  secrets: [KEY]
  timeout: 1h
  retries: 2
  gang_timeout: 5m
  isolate_network: true
  isolated: true
  run: [prepare, "fit {{lr}} {{depth}}"]
"""


def test_everything() -> None:
    config = load_text(ALL).config
    assert plan(config) == ExperimentSet(
        project="toaster-net",
        config=ALL,
        image="python:3.12",
        jobs=(
            Job(
                "train",
                ("prepare", "fit {{lr}} {{depth}}"),
                Resources(Decimal(2), 4 * 2**30, 1),
                1,
                {"MODE": "{{lr}}"},
            ),
        ),
        experiments=(
            Experiment(1, {"lr": "1e-6", "depth": "2"}),
            Experiment(2, {"lr": "1e-6", "depth": "3"}),
            Experiment(3, {"lr": "0.10", "depth": "2"}),
            Experiment(4, {"lr": "0.10", "depth": "3"}),
        ),
        is_set=True,
        install=("pip install x",),
        build_files=("setup.py",),
        secrets=("KEY",),
        concurrency=3,
        timeout=3600,
        retries=Retries(2),
        gang_timeout=300,
        isolate_network=True,
        names_image=True,
        isolated=True,
    )


@pytest.mark.parametrize(
    "parameters", ["", "parameters: {}", "parameters:", "parameters: []"]
)
def test_a_single_experiment(parameters: str) -> None:
    planned = plan(
        load_text(
            f"project: ab\ntrain:\n  image: x\n  resources: {{}}\n  run: y\n  {parameters}\n"
        )
    )
    assert planned.experiments == (Experiment(1, {}),)
    assert not planned.is_set
    assert not planned.tensorboard


def test_one_value_makes_a_set() -> None:
    planned = plan(
        load_text(
            "project: ab\ntrain: {image: x, resources: {}, run: 'y {{a}}', parameters: {a: 1}}\n"
        )
    )
    assert planned.is_set
    assert planned.experiments == (Experiment(1, {"a": "1"}),)


def test_nothing_to_train() -> None:
    with pytest.raises(InvalidInputError, match="nothing to train") as caught:
        plan(load_text("project: ab\n"))
    assert "run:" in caught.value.advice


@pytest.mark.parametrize(
    ("framework", "tensorboard"),
    [
        ("framework: tensorflow", True),
        ("framework: tensorflow, tensorflow: {tensorboard: false}", False),
        ("framework: tensorflow, tensorflow: {distributed: {}}", True),
        ("framework: pytorch", False),
        ("framework: pytorch, pytorch: {workers: 1, tensorboard: true}", True),
        ("framework: jax, jax: {workers: {count: 1, processes: 1}}", False),
        ("framework: mpi", False),
        ("framework: horovod, horovod: {workers: 1}", False),
    ],
)
def test_one_process_of_any_framework(framework: str, tensorboard: bool) -> None:
    planned = plan(
        load_text(
            f"project: ab\ntrain: {{image: x, resources: {{}}, run: y, {framework}}}\n"
        )
    )
    assert [(job.type, job.count) for job in planned.jobs] == [("train", 1)]
    assert planned.tensorboard == tensorboard
    assert planned.framework == framework.partition(",")[0].removeprefix("framework: ")


def test_retries_of_a_gang_cannot_choose_causes() -> None:
    with pytest.raises(
        UnsupportedError, match=r"`retries\.on` does not work with several jobs"
    ):
        jobs_of(
            "framework: jax, image: x, jax: {workers: 2}, retries: {count: 2, on: oom}"
        )
    assert jobs_of("framework: jax, image: x, jax: {workers: 2}, retries: 2")


def test_an_image_that_follows_from_the_framework_is_not_named() -> None:
    config = load_text(
        "project: net\ntrain: {framework: tensorflow, run: fit}\n"
    ).config
    planned = plan(config)
    assert planned.image.startswith("tensorflow/tensorflow:")
    assert not planned.names_image
