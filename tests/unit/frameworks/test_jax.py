"""JAX: workers with a coordinator."""

from dataclasses import replace

import pytest

from riseml.frameworks import jax
from riseml.plan import Resources
from riseml.schema.resources import Workers
from tests.riseml_yml import jobs_of


def test_jax_has_its_coordinator_on_the_first_worker() -> None:
    (job,) = jobs_of("framework: jax, image: x, jax: {workers: 2}").values()
    assert (job.type, job.count, job.framework_env["RISEML_NODE"]) == (
        "worker",
        2,
        "{{position}}",
    )
    assert job.framework_env["RISEML_LEADER"] == "{{host.worker.1}}:1234"


def test_each_process_has_the_variables_of_jax_and_keras() -> None:
    (job,) = jobs_of("framework: jax, image: x, jax: {workers: 2}").values()
    assert job.framework_env["RISEML_EACH"] == (
        "JAX_COORDINATOR_ADDRESS=$leader JAX_NUM_PROCESSES=$size JAX_PROCESS_ID=$rank"
        " KERAS_DISTRIBUTION_JOB_ADDRESSES=$leader"
        " KERAS_DISTRIBUTION_NUM_PROCESSES=$size KERAS_DISTRIBUTION_PROCESS_ID=$rank"
    )


@pytest.mark.parametrize(
    ("gpus", "processes", "devices"),
    [
        (2, 2, "$local_rank"),
        (4, 2, "$((local_rank*2+0)),$((local_rank*2+1))"),
        (2, 1, None),
        (0, 2, None),
    ],
)
def test_processes_of_a_worker_share_its_gpus(
    gpus: int, processes: int, devices: str | None
) -> None:
    (plain,) = jobs_of("image: x").values()
    options = jax.Options(workers=Workers(2, processes))
    (job,) = jax.distribute(
        replace(plain, resources=Resources(gpus=gpus)), options, "x"
    )
    _, _, text = job.framework_env["RISEML_EACH"].partition(" JAX_LOCAL_DEVICE_IDS=")
    assert text == (f"${{JAX_LOCAL_DEVICE_IDS:-{devices}}}" if devices else "")


def test_a_single_job_gets_the_start_up_hook_as_well() -> None:
    (job,) = jobs_of("framework: jax, image: x").values()
    assert (job.type, job.script, dict(job.framework_env)) == ("train", "jax", {})
