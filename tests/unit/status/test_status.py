"""What a document says in RiseML's words: recorded from a real Argo, and made up for what no cluster does on demand."""

from datetime import UTC, datetime

import pytest

from riseml import status
from riseml.status import State
from tests.unit.documents import Document, first, killed, made, node
from tests.unit.recordings import NAMES, document, moments, told

MOMENTS = [
    (f"{name} {moment}", then, expect)
    for name in NAMES
    for moment, then, expect in moments(name)
]


@pytest.mark.parametrize(
    ("then", "expect"), [m[1:] for m in MOMENTS], ids=[m[0] for m in MOMENTS]
)
def test_recorded(then: Document, expect: Document) -> None:
    assert told(then) == expect


@pytest.mark.parametrize("then", [m[1] for m in MOMENTS], ids=[m[0] for m in MOMENTS])
def test_one_cell_alone_reads_as_in_the_whole(then: Document) -> None:
    whole = status.read(then)
    outline = status.read_outline(then)
    nodes = list(then.get("status", {}).get("nodes", {}).values())
    for position, experiment in enumerate(whole.experiments):
        own = [node for node in nodes if outline.position(node) == position]
        assert status.read_experiment(outline, position, own) == experiment
    assert status.assemble(outline, whole.experiments) == whole


ENDED = {"phase": "Failed", "message": "main: Error (exit code 143)", "code": 143}
PRECISE = {"finishedAt": "2026-01-01T00:01:00.000002Z"}
KILLS = {  # entries, the job's end, what it counts as
    "before it ended": ("1=2026-01-01T00:00:59Z", {}, State.KILLED),
    "after it had ended": ("1=2026-01-01T00:01:01Z", {}, State.FAILED),
    "in the second in which it ended": ("1=2026-01-01T00:01:00.9Z", {}, State.KILLED),
    "of all": ("*=2026-01-01T00:00:59Z", {}, State.KILLED),
    "of another": ("2=2026-01-01T00:00:59Z,11=2026-01-01T00:00:59Z", {}, State.FAILED),
    "after it, then all": ("1=2026-01-01T00:01:01Z,*=2026-01-01T00:00:01Z", {}, State.KILLED),
    "a microsecond before": ("1=2026-01-01T00:01:00.000001Z", PRECISE, State.KILLED),
    "a microsecond after": ("1=2026-01-01T00:01:00.000003Z", PRECISE, State.FAILED),
    "another zone": ("1=2026-01-01T02:00:59+02:00", {}, State.KILLED),
    "exit code 0": ("1=2026-01-01T00:00:59Z", {"phase": "Succeeded", "code": 0}, State.KILLED),
    "exit code 0 before": ("1=2026-01-01T00:01:01Z", {"phase": "Succeeded", "code": 0}, State.FINISHED),
    "no time, ended from outside": ("1=soon", {}, State.KILLED),
    "no time, its own failure": ("1=soon", {"code": 3}, State.FAILED),
    "no time, out of memory": ("1=soon", {"code": 137, "message": "OOMKilled (exit code 137)"}, State.FAILED),
    "no time, succeeded": ("1=soon", {"phase": "Succeeded", "code": 0}, State.FINISHED),
    "twice": ("1=2026-01-01T00:00:59Z,1=2026-01-01T00:02:00Z", {}, State.KILLED),
    "no time, pod deleted": ("1=soon", {"phase": "Error", "code": None, "message": "pod deleted"}, State.KILLED),
    "nonsense": (",,=,1", {}, State.FAILED),
}  # fmt: skip


@pytest.mark.parametrize(("entries", "fields", "state"), KILLS.values(), ids=KILLS)
def test_a_kill_counts_from_its_time_on(
    entries: str, fields: Document, state: State
) -> None:
    assert first(killed(made({**ENDED, **fields}), entries)).state == state


def test_terminated_without_an_annotation_is_told_by_how_it_ended() -> None:
    run = killed(
        made(ENDED, {"phase": "Failed", "code": 3}, items=3, phase="Failed"),
        "",
        shutdown="Terminate",
    )
    states = [experiment.state for experiment in status.read(run).experiments]
    assert states == [State.KILLED, State.FAILED, State.KILLED]


def jobs(document: Document) -> dict[str, str]:
    """Return state and reason of each job of the only experiment, by type and index."""
    experiment = first(document)
    return {
        job.id.removeprefix(f"{experiment.id}."): f"{job.state.value} {job.reason}"
        for job in experiment.jobs
    }


def test_what_argo_says_it_shut_down_was_killed_even_where_nothing_else_says_so() -> (
    None
):
    message = "workflow shutdown with strategy:  Terminate"
    run = made(
        {"phase": "Succeeded", "message": message, "code": 0},
        {"phase": "Failed", "message": message},
    )
    assert [experiment.state for experiment in status.read(run).experiments] == [
        State.KILLED,
        State.KILLED,
    ]


def test_who_was_deleted_is_not_guilty_even_where_it_seems_to_have_ended_first() -> (
    None
):
    run = document("worker-fails")
    for n in run["status"]["nodes"].values():
        if n["name"].endswith(".worker-1"):
            n["finishedAt"] = n["startedAt"]
    assert (first(run).guilty or "").endswith(".worker.2")


@pytest.mark.parametrize(
    ("name", "expected"),
    [("worker-fails", "KILLED PEER"), ("gang-killed", "KILLED KILLED")],
)
def test_a_daemon_that_still_exits_is_not_shown_running_in_an_ended_experiment(
    name: str, expected: str
) -> None:
    run = document(name)
    run["status"]["phase"] = "Running"
    for n in run["status"]["nodes"].values():
        if n["name"].endswith(".ps") or n["type"] != "Pod":
            n.update(phase="Running", message="", finishedAt=None)
    assert first(run).state.is_terminal
    assert jobs(run)["ps"] == expected


def test_a_run_that_waits_for_its_own_lock_is_pending() -> None:
    message = "Waiting for ns/Mutex/x lock. Lock status: 0/1"
    run = made(items=2, phase="Pending", message=message)
    run["status"]["nodes"] = {}
    found = status.read(run)
    assert {(e.state, e.reason, e.message) for e in found.experiments} == {
        (State.PENDING, "LOCK", message)
    }


def test_a_build_that_was_killed_before_it_began_never_will() -> None:
    run = document("build")
    run["metadata"]["annotations"]["riseml.io/killed"] = "*=2026-01-01T00:00:00Z"
    del run["status"]
    found = status.read(run)
    assert [job.state for job in found.jobs] == [State.KILLED]
    assert {experiment.state for experiment in found.experiments} == {State.KILLED}


def test_of_a_gang_that_is_tried_again_the_last_attempt_counts() -> None:
    run = made({"phase": "Running"})
    cell = next(
        n
        for n in run["status"]["nodes"].values()
        if n["name"].endswith("riseml-sub:1)")
    )
    name = cell["name"]
    attempts = [("Failed", 4), ("Succeeded", 0)]
    nodes = [node(name, "Retry", "Succeeded")]
    for i, (phase, code) in enumerate(attempts):
        nodes.append(node(f"{name}({i})", "DAG", phase))
        nodes.append(
            node(f"{name}({i}).train", "Pod", phase, outputs={"exitCode": str(code)})
        )
    run["status"]["nodes"] = {n["name"]: n for n in nodes}
    (job,) = first(run).jobs
    assert (job.state, job.attempt, job.exit_code) == (State.FINISHED, 1, 0)


def test_a_gang_between_two_attempts_has_not_ended() -> None:
    run = document("gang-retry-succeeds")
    nodes = run["status"]["nodes"]
    run["status"]["nodes"] = {
        key: node
        for key, node in nodes.items()
        if "riseml-sub:1)(1)" not in node["name"]
    }
    for n in run["status"]["nodes"].values():
        if n["type"] in ("Retry", "TaskGroup") or n["name"].count(".") < 2:
            n["phase"] = "Running"
    run["status"] = {**run["status"], "phase": "Running"}
    experiment = first(run)
    assert (experiment.state, experiment.reason) == (State.PENDING, "RETRY")
    assert (
        experiment.message == f"attempt 1 failed: {experiment.id}.worker.1: exit code 4"
    )
    run["status"]["phase"] = "Failed"
    assert first(run).state is State.FAILED


def test_whoever_failed_first_is_guilty_and_the_others_were_ended() -> None:
    peers = dict.fromkeys(("master", "worker.1", "worker.2", "ps"), "KILLED PEER")
    assert jobs(document("worker-fails")) == {**peers, "worker.2": "FAILED ERROR"}
    assert jobs(document("ps-fails")) == {**peers, "ps": "FAILED ERROR"}


def test_who_waited_in_vain_says_for_whom() -> None:
    experiment = first(document("gang-released"))
    assert experiment.message == "there was no sign of ps"
    assert jobs(document("gang-released"))["ps"] == "FAILED UNSCHEDULED"
    assert (
        "nothing is known of the host recorded-net-"
        in first(document("gang-nameless")).message
    )


def test_a_peer_that_failed_by_itself_keeps_its_own_failure() -> None:
    run = document("worker-fails")
    for n in run["status"]["nodes"].values():
        if n["name"].endswith(".worker-1"):
            n.update(
                phase="Failed",
                message="main: Error (exit code 1)",
                outputs={"exitCode": "1"},
            )
    assert jobs(run)["worker.1"] == "FAILED ERROR"
    assert (first(run).guilty or "").endswith(".worker.2")


def test_a_ps_ends_with_the_others() -> None:
    run = document("gang")
    experiment = first(run)
    ps = experiment.jobs[-1]
    assert (ps.type, ps.state, ps.reason, ps.exit_code) == (
        "ps",
        State.FINISHED,
        "STOPPED",
        None,
    )
    assert ps.finished == experiment.finished
    for n in run["status"]["nodes"].values():
        if n["name"].endswith(".ps"):
            n.update(
                phase="Failed",
                message="main: Error (exit code 143)",
                outputs={"exitCode": "143"},
            )
    assert jobs(run)["ps"] == "FINISHED STOPPED"


def test_a_ps_that_was_ready_long_before_a_kill_is_killed_with_the_others() -> None:
    run = document("gang-killed")
    for n in run["status"]["nodes"].values():
        if n["name"].endswith(".ps"):
            n["finishedAt"] = n["startedAt"]
    assert set(jobs(run).values()) == {"KILLED KILLED"}


def test_a_build_tells_the_base_image_and_what_is_installed() -> None:
    found = status.read(document("build"))
    assert (found.image, found.install) == ("localhost/base:1", ("pip install x",))
    assert [job.id for job in found.jobs] == [f"{found.id}.build"]
    failed = status.read(document("build-fails"))
    assert failed.experiments[1].message == f"{failed.id}.build failed: exit code 7"


def test_a_result_is_read_from_what_argo_took_over() -> None:
    assert status.read(document("success")).result == {"accuracy": 0.9}


REASONS = {  # phase, message and exit code of the job's node; state, word, and message where it is another one
    "created": ("Pending", "", None, "PENDING", ""),
    "no place": (
        "Pending",
        "Unschedulable: 0/1 nodes",
        None,
        "PENDING UNSCHEDULABLE",
        None,
    ),
    "no quota": (
        "Pending",
        "pods x is forbidden: exceeded quota: q",
        None,
        "PENDING QUOTA",
        None,
    ),
    "locked": (
        "Pending",
        "Waiting for ns/Mutex/x lock. Lock status: 0/1",
        None,
        "PENDING LOCK",
        None,
    ),
    "creating": ("Pending", "ContainerCreating", None, "STARTING PREPARE", None),
    "pulling": (
        "Pending",
        "ImagePullBackOff: Back-off pulling",
        None,
        "STARTING IMAGE",
        None,
    ),
    "of a later Argo": ("Hovering", "?", None, "PENDING", None),
    "running": ("Running", "", None, "RUNNING", ""),
    "error": ("Failed", "main: Error (exit code 3)", 3, "FAILED ERROR", "exit code 3"),
    "error, code in words": (
        "Failed",
        "main: Error (exit code 3)",
        None,
        "FAILED ERROR",
        "exit code 3",
    ),
    "error that says more": (
        "Failed",
        "main: Error (exit code 3): no disk",
        3,
        "FAILED ERROR",
        "no disk",
    ),
    "no such command": (
        "Failed",
        "main: Error (exit code 127)",
        127,
        "FAILED COMMAND",
        "exit code 127 (command not found)",
    ),
    "out of memory": ("Failed", "OOMKilled (exit code 137)", 137, "FAILED OOM", None),
    "node lost": ("Error", "machine restarted", None, "FAILED NODE_LOST", None),
    "evicted": (
        "Failed",
        "The node was low on resource: memory.",
        None,
        "FAILED EVICTED",
        None,
    ),
    "preempted": (
        "Failed",
        "Pod was terminated in response to imminent node shutdown.",
        None,
        "FAILED PREEMPTED",
        None,
    ),
    "executor": ("Error", "wait: Error (exit code 64)", None, "FAILED PLATFORM", None),
    "deleted": ("Error", "pod deleted", None, "FAILED DELETED", None),
    "succeeded": ("Succeeded", "", 0, "FINISHED COMPLETED", ""),
}


@pytest.mark.parametrize(
    ("phase", "message", "code", "line", "told"), REASONS.values(), ids=REASONS
)
def test_a_job_says_why(
    phase: str, message: str, code: int | None, line: str, told: str | None
) -> None:
    cell = {
        "phase": phase,
        "message": message,
        **({} if code is None else {"code": code}),
    }
    (job,) = first(made(cell)).jobs
    assert f"{job.state.value} {job.reason}".strip() == line
    assert job.message == (message if told is None else told)


def test_between_attempts_a_job_waits_and_tells_the_last_failure() -> None:
    strategy = {"retryStrategy": {"limit": "2"}}
    experiment = first(
        made(
            {"phase": "Running", "attempts": [("Failed", 4), ("Failed", 5)]},
            template=strategy,
        )
    )
    (job,) = experiment.jobs
    assert (job.state, job.reason, job.attempt, job.exit_code) == (
        State.PENDING,
        "RETRY",
        1,
        5,
    )
    assert job.message == "attempt 2 failed: exit code 5"
    assert experiment.state == State.PENDING


@pytest.mark.parametrize(("attempts", "state"), [(1, State.KILLED), (3, State.FAILED)])
def test_a_kill_between_attempts_ends_what_could_have_gone_on(
    attempts: int, state: State
) -> None:
    cell = {
        "phase": "Failed",
        "attempts": [("Failed", 4)] * attempts,
        "finishedAt": "2026-01-01T00:02:00Z",
    }
    run = killed(
        made(cell, template={"retryStrategy": {"limit": "2"}}), "1=2026-01-01T00:01:30Z"
    )
    assert first(run).state == state


def test_an_experiment_started_with_its_first_attempt() -> None:
    run = made({"phase": "Running", "attempts": [("Failed", 4), ("Running", 0)]})
    cells = [n for n in run["status"]["nodes"].values() if n["name"].endswith("(1)")]
    cells[0]["startedAt"] = "2026-01-01T00:05:00Z"
    experiment = first(run)
    assert experiment.started == datetime(2026, 1, 1, 0, 0, 10, tzinfo=UTC)
    assert experiment.jobs[0].started == datetime(2026, 1, 1, 0, 5, tzinfo=UTC)


def test_when_a_container_began_is_believed_where_an_engine_says_it() -> None:
    assert first(
        made({"phase": "Running", "runningAt": "2026-01-01T00:00:30.5Z"})
    ).started == datetime(2026, 1, 1, 0, 0, 30, 500_000, UTC)


@pytest.mark.parametrize(
    ("said", "result"),
    [('{"a": 1}', {"a": 1}), ("0.5", {"result": 0.5}), ("", None), ("{", None), ("null", None), ("[" * 9999, None)],
)  # fmt: skip
def test_results_are_what_the_job_reported_last(said: str, result: object) -> None:
    outputs = {"parameters": [{"name": "result", "value": said}]}
    assert first(made({"phase": "Succeeded", "outputs": outputs})).result == result


@pytest.mark.parametrize(
    ("said", "progress"),
    [("3/10", (3, 10)), ("0/1", None), ("1/1", None), ("x/y", None), ("", None)],
)
def test_progress_is_what_the_job_wrote(said: str, progress: object) -> None:
    assert first(made({"phase": "Running", "progress": said})).progress == progress


COUNTS = {
    "nothing": ({}, "CREATED"),
    "waiting": ({"CREATED": 3}, "CREATED"),
    "building": ({"BUILDING": 3}, "BUILDING"),
    "one pending": ({"CREATED": 3, "PENDING": 1}, "PENDING"),
    "one starting": ({"CREATED": 3, "PENDING": 1, "STARTING": 1}, "STARTING"),
    "one running": ({"PENDING": 3, "RUNNING": 1}, "RUNNING"),
    "between cells": ({"CREATED": 3, "FAILED": 1}, "RUNNING"),
    "all finished": ({"FINISHED": 3}, "FINISHED"),
    "one failed": ({"FINISHED": 3, "KILLED": 1, "FAILED": 1}, "FAILED"),
    "one killed": ({"FINISHED": 3, "KILLED": 1}, "KILLED"),
    "zeros": ({"RUNNING": 0, "FINISHED": 1, "FAILED": 0}, "FINISHED"),
}


@pytest.mark.parametrize(("counts", "state"), COUNTS.values(), ids=COUNTS)
def test_the_state_of_a_set(counts: dict[State, int], state: str) -> None:
    assert status.set_state(counts) == State(state)
