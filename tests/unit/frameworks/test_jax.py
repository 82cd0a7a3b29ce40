"""JAX: workers with a coordinator."""

from tests.riseml_yml import jobs_of


def test_jax_has_its_coordinator_on_the_first_worker() -> None:
    (job,) = jobs_of("framework: jax, image: x, jax: {workers: 2}").values()
    assert (job.type, job.count, job.framework_env["RISEML_NODE"]) == (
        "worker",
        2,
        "{{position}}",
    )
    assert job.framework_env["RISEML_LEADER"] == "{{host.worker.1}}:1234"
