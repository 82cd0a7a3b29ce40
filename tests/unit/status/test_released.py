"""Gangs that gave their resources back and start again."""

from typing import Any

from riseml import diagnosis, labels, status
from riseml.diagnosis.evidence import Evidence
from riseml.status import State
from tests.unit.recordings import document

_RETRY = {"limit": "100000", "expression": "lastRetry.exitCode == '175'"}


def released(*, is_final: bool = False, is_back: bool = False) -> dict[str, Any]:
    """Return a gang whose master gave its resources back, and perhaps waits again."""
    run = document("gang")
    run["status"]["phase"] = "Running"
    for template in run["spec"]["templates"]:
        if template["name"] in {"master", "worker"}:
            template["retryStrategy"] = _RETRY
    nodes = run["status"]["nodes"]
    for node in nodes.values():
        if node["type"] in {"DAG", "TaskGroup"}:
            node["phase"] = "Running"
    (task,) = (n for n in nodes.values() if n["name"].endswith(".master"))
    missing = {"name": labels.MISSING, "value": "there was no sign of ps"}
    first = {
        **task,
        "id": "first",
        "name": f"{task['name']}(0)",
        "phase": "Failed",
        "message": "main: Error (exit code 175)",
        "outputs": {"exitCode": "175", "parameters": [missing]},
    }
    nodes["first"] = first
    if is_back:
        second = {**task, "id": "second", "name": f"{task['name']}(1)"}
        second.update(phase="Pending", message="Unschedulable: 0/1 nodes", outputs={})
        nodes["second"] = second
    task.update(type="Retry", phase="Failed" if is_final else "Running", outputs={})
    return run


def master(run: dict[str, Any]) -> status.JobStatus:
    return status.read(run).experiments[0].jobs[0]


def test_a_job_that_gave_its_resources_back_waits() -> None:
    job = master(released())
    assert (job.state, job.reason) == (State.PENDING, "RELEASED")
    assert job.message == "Released: there was no sign of ps"
    assert (job.attempt, job.max_attempts, job.earlier) == (0, 1, ())
    assert (job.started, job.finished) == (None, None)


def test_a_job_that_waits_for_room_again_says_for_what() -> None:
    job = master(released(is_back=True))
    assert (job.state, job.reason) == (State.PENDING, "UNSCHEDULABLE")
    assert (job.attempt, job.earlier, job.node_id) == (0, (), "second")


def test_a_job_that_cannot_start_again_names_the_missing_jobs() -> None:
    job = master(released(is_final=True))
    assert (job.state, job.reason) == (State.FAILED, "GANG")
    assert job.message == "there was no sign of ps"


def test_why_says_that_no_wait_fails_the_run() -> None:
    run = status.read(released())
    (cause,) = diagnosis.explain(
        Evidence(run, run.experiments[0].jobs[0], has_cluster=True)
    )
    assert cause.kind == "RELEASED"
    assert "gave them back" in cause.explanation
    assert cause.evidence == ("there was no sign of ps",)
    assert "no wait fails the run" in cause.fix[0]


def test_a_gang_that_was_killed_while_it_waited_for_room_is_killed() -> None:
    run = released(is_final=True)
    run["status"]["phase"] = "Failed"
    for node in run["status"]["nodes"].values():
        if node["name"].endswith(".master"):
            killed, node["finishedAt"] = node["startedAt"], "2099-01-01T00:00:00Z"
    run["metadata"]["annotations"][labels.KILLED] = f"*={killed}"
    job = master(run)
    assert (job.state, job.reason, job.exit_code) == (State.KILLED, "KILLED", None)
