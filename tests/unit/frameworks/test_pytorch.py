"""PyTorch: a master and workers."""

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
