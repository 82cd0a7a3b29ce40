"""PyTorch: a master and workers."""

from dataclasses import replace

import pytest

from riseml.frameworks import pytorch
from riseml.plan import Resources
from riseml.schema.resources import Workers
from tests.riseml_yml import jobs_of


def test_pytorch_has_a_master_with_the_first_ranks() -> None:
    planned = jobs_of(
        "framework: pytorch, pytorch: {workers: {count: 3, processes: 2}}"
    )
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
    (job,) = jobs_of(
        "framework: pytorch, pytorch: {workers: {count: 1, processes: 2}}"
    ).values()
    assert (job.type, job.framework_env["RISEML_LEADER"]) == (
        "train",
        "{{host.train.1}}:29500",
    )


@pytest.mark.parametrize(("gpus", "for_cpus"), [(0, True), (2, False)])
def test_accelerate_is_told_when_there_is_no_gpu(gpus: int, for_cpus: bool) -> None:
    """Without that, each process trains alone on a machine without GPUs."""
    (plain,) = jobs_of("image: x").values()
    options = pytorch.Options(workers=Workers(2))
    jobs = pytorch.distribute(
        replace(plain, resources=Resources(gpus=gpus)), options, "x"
    )
    setting = "ACCELERATE_USE_CPU=${ACCELERATE_USE_CPU:-true}"
    for job in jobs:
        assert (setting in job.framework_env["RISEML_EACH"].split()) == for_cpus


def test_processes_have_torchruns_markers() -> None:
    (master, _) = jobs_of("framework: pytorch, pytorch: {workers: 2}").values()
    assert {
        "TORCHELASTIC_RUN_ID=$RISEML_EXPERIMENT",
        "TORCHELASTIC_RESTART_COUNT=$RISEML_ATTEMPT",
        "TORCHELASTIC_USE_AGENT_STORE=False",
    } <= set(master.framework_env["RISEML_EACH"].split())
