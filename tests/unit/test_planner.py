"""Planning: from a riseml.yml to experiments and jobs."""

import json
from decimal import Decimal

import pytest

from riseml.config import load_text
from riseml.errors import InvalidInputError, UnsupportedError
from riseml.plan import Experiment, ExperimentSet, Job, Resources, Retries
from riseml.planner import plan

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
            Experiment(1, {"depth": "2", "lr": "1e-6"}),
            Experiment(2, {"depth": "2", "lr": "0.10"}),
            Experiment(3, {"depth": "3", "lr": "1e-6"}),
            Experiment(4, {"depth": "3", "lr": "0.10"}),
        ),
        is_set=True,
        install=("pip install x",),
        build_files=("setup.py",),
        secrets=("KEY",),
        concurrency=3,
        timeout=3600,
        retries=Retries(2),
        gang_timeout=300,
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


def jobs(train: str) -> dict[str, Job]:
    """Return the jobs of an experiment by type."""
    text = f"project: ab\ntrain: {{resources: {{cpus: 2}}, run: [one, two], {train}}}\n"
    return {job.type: job for job in plan(load_text(text)).jobs}


def test_tensorflow_is_a_master_workers_and_parameter_servers() -> None:
    options = "distributed: {worker: 3, ps: {count: 2, resources: {cpus: 1}}, master: {resources: {cpus: 4}}}"
    planned = jobs(f"framework: tensorflow, tensorflow: {{version: 2.16.1, {options}}}")
    assert [
        (job.type, job.count, int(job.resources.cpus), job.daemon)
        for job in planned.values()
    ] == [
        ("master", 1, 4, False),
        ("worker", 2, 2, False),
        ("ps", 2, 1, True),
    ]
    assert {job.run for job in planned.values()} == {("one", "two")}
    text = planned["worker"].framework_env["TF_CONFIG"].replace("{{position}}", "1")
    assert json.loads(text) == {
        "cluster": {
            "chief": ["{{host.master.1}}:2222"],
            "worker": ["{{host.worker.1}}:2222", "{{host.worker.2}}:2222"],
            "ps": ["{{host.ps.1}}:2222", "{{host.ps.2}}:2222"],
        },
        "task": {"type": "worker", "index": 1},
    }
    assert json.loads(planned["master"].framework_env["TF_CONFIG"])["task"] == {
        "type": "chief",
        "index": 0,
    }


def test_one_worker_is_the_master_alone() -> None:
    planned = jobs("framework: tensorflow, tensorflow: {distributed: {ps: 1}}")
    assert list(planned) == ["master", "ps"]
    assert json.loads(planned["ps"].framework_env["TF_CONFIG"])["task"] == {
        "type": "ps",
        "index": 0,
    }


@pytest.mark.parametrize(
    ("options", "image", "leader"),
    [
        ("version: 1.15.5", "", "master"),
        ("version: 2.16.1", "", "chief"),
        ("version: latest", "", "chief"),
        ("", "", "chief"),
        ("", "tensorflow/tensorflow:1.5.0-gpu", "master"),
        ("", "tensorflow/tensorflow:2.4.1", "chief"),
        ("", "nvcr.io/nvidia/tensorflow:23.03-tf1-py3", "master"),
        ("", "nvcr.io/nvidia/tensorflow:23.03-tf2-py3", "chief"),
        ("", "me/tensorflow-1.5:3", "master"),
        ("", "python:1.5", "chief"),
        ("", "tensorflow/tensorflow:12.0.0", "chief"),
        ("version: 2.16.1", "tensorflow/tensorflow:1.5.0", "chief"),
        ("version: 2.16.1, chief: master", "", "master"),
        ("version: 1.5.0, chief: chief", "", "chief"),
    ],
)
def test_the_leading_task_has_the_name_of_the_release(
    options: str, image: str, leader: str
) -> None:
    version, _, chief = options.partition(", ")
    section = ", ".join(
        filter(
            None, (version, f"distributed: {{worker: 2{', ' * bool(chief)}{chief}}}")
        )
    )
    planned = jobs(
        f"framework: tensorflow, tensorflow: {{{section}}}"
        + (f", image: '{image}'" if image else "")
    )
    assert list(json.loads(planned["ps"].framework_env["TF_CONFIG"])["cluster"]) == [
        leader,
        "worker",
        "ps",
    ]


@pytest.mark.parametrize(
    ("train", "expected"),
    [
        (
            "framework: mpi, image: x, mpi: {workers: {count: 3, processes: 2}}",
            ("worker", 3, "2"),
        ),
        (
            "framework: mpi, image: x, mpi: {workers: {count: 1, processes: 4}}",
            ("train", 1, "4"),
        ),
        ("framework: horovod, horovod: {workers: 2}", ("worker", 2, "1")),
        (
            "framework: tensorflow, tensorflow: {horovod: {workers: 2}}",
            ("worker", 2, "1"),
        ),
        (
            "framework: horovod, horovod: {workers: 2}, resources: {gpus: 4}",
            ("worker", 2, "4"),
        ),
        (
            "framework: horovod, horovod: {workers: {count: 2, processes: 1}}, resources: {gpus: 4}",
            ("worker", 2, "1"),
        ),
    ],
)
def test_the_ranks_of_mpi(train: str, expected: tuple[str, int, str]) -> None:
    text = f"project: ab\ntrain: {{run: x, {train}" + (
        "}" if "resources" in train else ", resources: {}}"
    )
    (job,) = plan(load_text(text)).jobs
    assert (job.type, job.count, job.framework_env["RISEML_PROCESSES"]) == expected
    assert job.runner == "mpi"


def test_pytorch_has_a_master_with_the_first_ranks() -> None:
    planned = jobs("framework: pytorch, pytorch: {workers: {count: 3, processes: 2}}")
    assert [(job.type, job.count) for job in planned.values()] == [
        ("master", 1),
        ("worker", 2),
    ]
    assert [job.framework_env["RISEML_NODE"] for job in planned.values()] == [
        "0",
        "{{index}}",
    ]
    assert {job.framework_env["RISEML_LEADER"] for job in planned.values()} == {
        "{{host.master.1}}:29500"
    }
    assert {job.framework_env["RISEML_PROCESSES"] for job in planned.values()} == {"2"}


def test_several_processes_of_one_worker_know_each_other_too() -> None:
    (job,) = jobs(
        "framework: pytorch, pytorch: {workers: {count: 1, processes: 2}}"
    ).values()
    assert (job.type, job.framework_env["RISEML_LEADER"]) == (
        "train",
        "{{host.train.1}}:29500",
    )


def test_jax_has_its_coordinator_on_the_first_worker() -> None:
    (job,) = jobs("framework: jax, image: x, jax: {workers: 2}").values()
    assert (job.type, job.count, job.framework_env["RISEML_NODE"]) == (
        "worker",
        2,
        "{{position}}",
    )
    assert job.framework_env["RISEML_LEADER"] == "{{host.worker.1}}:1234"


def test_retries_of_a_gang_cannot_choose_causes() -> None:
    with pytest.raises(
        UnsupportedError, match=r"`retries\.on` does not work with several jobs"
    ):
        jobs(
            "framework: jax, image: x, jax: {workers: 2}, retries: {count: 2, on: oom}"
        )
    assert jobs("framework: jax, image: x, jax: {workers: 2}, retries: 2")
