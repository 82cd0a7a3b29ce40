"""Status of documents: recorded from a real Argo, and made up where no cluster does it on demand."""

import json
from datetime import UTC, datetime

import pytest

from riseml import labels, status
from riseml.plan import GitState
from riseml.status import SetStatus, State
from riseml.status.data import encode, from_data, to_data
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
def test_recorded_documents_have_the_recorded_status(
    then: Document, expect: Document
) -> None:
    assert told(then) == expect


@pytest.mark.parametrize("then", [m[1] for m in MOMENTS], ids=[m[0] for m in MOMENTS])
def test_an_experiment_reads_the_same_alone_and_in_its_run(then: Document) -> None:
    run = status.read(then)
    outline = status.read_outline(then)
    nodes = list(then.get("status", {}).get("nodes", {}).values())
    for position, experiment in enumerate(run.experiments):
        experiment_nodes = [
            node for node in nodes if outline.position(node) == position
        ]
        assert status.read_experiment(outline, position, experiment_nodes) == experiment
    assert status.assemble(outline, run.experiments) == run


ENDED = {"phase": "Failed", "message": "main: Error (exit code 143)", "code": 143}
PRECISE = {"finishedAt": "2026-01-01T00:01:00.000002Z"}
KILLS = {  # Entries of the annotation, the end of the job, its state.
    "before it ended": ("1=2026-01-01T00:00:59Z", {}, State.KILLED),
    "after it had ended": ("1=2026-01-01T00:01:01Z", {}, State.FAILED),
    "in the second in which it ended": ("1=2026-01-01T00:01:00.9Z", {}, State.KILLED),
    "of all": ("*=2026-01-01T00:00:59Z", {}, State.KILLED),
    "of another": ("2=2026-01-01T00:00:59Z,11=2026-01-01T00:00:59Z", {}, State.FAILED),
    "after it, then all": ("1=2026-01-01T00:01:01Z,*=2026-01-01T00:00:30Z", {}, State.KILLED),
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
def test_a_kill_affects_jobs_that_end_after_it(
    entries: str, fields: Document, state: State
) -> None:
    assert first(killed(made({**ENDED, **fields}), entries)).state == state


def test_a_kill_without_an_annotation_is_recognized_by_how_jobs_ended() -> None:
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


def test_a_shutdown_by_argo_counts_as_a_kill() -> None:
    message = "workflow shutdown with strategy:  Terminate"
    run = made(
        {"phase": "Succeeded", "message": message, "code": 0},
        {"phase": "Failed", "message": message},
    )
    assert [experiment.state for experiment in status.read(run).experiments] == [
        State.KILLED,
        State.KILLED,
    ]


def test_a_deleted_job_is_not_guilty_even_if_it_ended_first() -> None:
    run = document("worker-fails")
    for n in run["status"]["nodes"].values():
        if n["name"].endswith(".worker-1"):
            n["finishedAt"] = n["startedAt"]
    assert (first(run).guilty or "").endswith(".worker.2")


@pytest.mark.parametrize(
    ("name", "expected"),
    [("worker-fails", "KILLED PEER"), ("gang-killed", "KILLED KILLED")],
)
def test_a_daemon_of_an_ended_experiment_is_not_running_while_it_exits(
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
    run_status = status.read(run)
    assert {(e.state, e.reason, e.message) for e in run_status.experiments} == {
        (State.PENDING, "LOCK", message)
    }


def test_a_build_killed_before_its_start_never_starts() -> None:
    run = document("build")
    run["metadata"]["annotations"]["riseml.io/killed"] = "*=2026-01-01T00:00:00Z"
    del run["status"]
    run_status = status.read(run)
    assert [job.state for job in run_status.jobs] == [State.KILLED]
    assert {experiment.state for experiment in run_status.experiments} == {State.KILLED}


def test_the_last_attempt_of_a_retried_gang_counts() -> None:
    run = made({"phase": "Running"})
    root = next(
        n
        for n in run["status"]["nodes"].values()
        if n["name"].endswith("riseml-sub:1)")
    )
    name = root["name"]
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


def earlier(name: str) -> dict[str, list[tuple[int, str, str, int | None]]]:
    """Return number, state, reason and exit code of all attempts but the last, by job."""
    attempts = {}
    for job in first(document(name)).jobs:
        attempts[job.id.partition(".")[2]] = [
            (attempt.attempt, str(attempt.state), attempt.reason, attempt.exit_code)
            for attempt in job.earlier
        ]
        assert all(attempt.started and attempt.finished for attempt in job.earlier)
        assert job.attempts[:-1] == job.earlier
        assert (job.attempts[-1].attempt, job.attempts[-1].earlier) == (job.attempt, ())
    return attempts


def test_earlier_attempts_of_a_job_keep_their_outcome() -> None:
    assert earlier("retry-exhausted") == {
        "train": [(0, "FAILED", "ERROR", 4), (1, "FAILED", "ERROR", 4)]
    }
    assert earlier("retry-killed") == {"train": [(0, "FAILED", "ERROR", 4)]}
    assert earlier("retry-not-this-cause") == {"train": []}
    assert [job.max_attempts for job in first(document("retry-exhausted")).jobs] == [3]


def test_earlier_attempts_of_a_gang_say_which_job_failed() -> None:
    peer = [(0, "KILLED", "PEER", None)]
    assert earlier("gang-retry-succeeds") == {
        "master": peer,
        "worker.1": [(0, "FAILED", "ERROR", 4)],
        "worker.2": peer,
        "ps": peer,
    }
    jobs = first(document("gang-retry-succeeds")).jobs
    assert {job.max_attempts for job in jobs} == {3}


def test_a_record_keeps_earlier_attempts() -> None:
    run = status.read(document("gang-retry-exhausted"))
    text = json.dumps(to_data(run), default=encode)
    assert from_data(json.loads(text)) == run
    old = json.loads(text)
    for job in old["experiments"][0]["jobs"]:
        del job["earlier"], job["max_attempts"]
    assert [job.earlier for job in from_data(old).experiments[0].jobs] == [()] * 4


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


def test_the_first_failed_job_is_guilty_and_its_peers_were_ended() -> None:
    peers = dict.fromkeys(("master", "worker.1", "worker.2", "ps"), "KILLED PEER")
    assert jobs(document("worker-fails")) == {**peers, "worker.2": "FAILED ERROR"}
    assert jobs(document("ps-fails")) == {**peers, "ps": "FAILED ERROR"}


def test_peers_are_named_while_others_still_run() -> None:
    run = document("worker-fails")
    run["status"]["phase"] = "Running"
    for n in run["status"]["nodes"].values():
        is_master = n["name"].endswith(".master")
        if is_master or (n["name"].count(".") < 3 and n["type"] != "Pod"):
            n["phase"] = "Running"
            del n["finishedAt"]
    states = jobs(run)
    assert states.pop("master").strip() == "RUNNING"
    # A ps has no outcome of its own before the experiment has one.
    del states["ps"]
    assert states == {"worker.1": "KILLED PEER", "worker.2": "FAILED ERROR"}
    assert first(run).state is State.RUNNING


@pytest.mark.parametrize(
    ("seconds", "time"),
    [
        (7200, "2 h"),
        ("5400", "1 h 30 min"),
        (600, "10 min"),
        (90, "90 s"),
        (86_400, "24 h"),
    ],
)
def test_a_timeout_names_its_length(seconds: object, time: str) -> None:
    message = "Pod was active on the node longer than the specified deadline"
    run = made(
        {"phase": "Failed", "message": message, "code": 143},
        template={"activeDeadlineSeconds": seconds},
    )
    experiment = first(run)
    assert experiment.reason == "TIMEOUT"
    assert experiment.message == f"timed out after {time} (`timeout`)"


NEW_TIMEOUT = {
    "activeDeadlineSeconds": 90 + 3600,
    "container": {"env": [{"name": "RISEML_TIMEOUT", "value": "90"}]},
}


def ended_with_124(timeout: str) -> status.ExperimentStatus:
    """Return an experiment whose run script reports a timeout, or none."""
    outputs = {
        "exitCode": "124",
        "parameters": [{"name": "timeout", "value": timeout}],
    }
    message = "Error (exit code 124)"
    run = made(
        {"phase": "Failed", "message": message, "outputs": outputs},
        template=NEW_TIMEOUT,
    )
    return first(run)


def test_the_run_script_says_that_the_lines_took_too_long() -> None:
    experiment = ended_with_124("90")
    assert (experiment.reason, experiment.exit_code) == ("TIMEOUT", 124)
    assert experiment.message == "timed out after 90 s (`timeout`)"


def test_a_programs_own_status_124_is_no_timeout() -> None:
    assert ended_with_124("").reason == "ERROR"


def test_a_pod_that_does_not_end_is_told_from_lines_that_take_too_long() -> None:
    message = "Pod was active on the node longer than the specified deadline"
    run = made(
        {"phase": "Failed", "message": message, "code": 143}, template=NEW_TIMEOUT
    )
    experiment = first(run)
    assert experiment.reason == "TIMEOUT"
    assert experiment.message == "its pod did not end within an hour of its `timeout`"


def test_a_job_that_waited_in_vain_names_the_missing_job() -> None:
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


def test_a_ps_ends_with_its_experiment() -> None:
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


def test_a_kill_includes_a_ps_that_was_ready_long_before() -> None:
    run = document("gang-killed")
    for n in run["status"]["nodes"].values():
        if n["name"].endswith(".ps"):
            n["finishedAt"] = n["startedAt"]
    assert set(jobs(run).values()) == {"KILLED KILLED"}


def test_a_build_holds_the_base_image_and_the_install_steps() -> None:
    run_status = status.read(document("build"))
    assert (run_status.image, run_status.install) == (
        "localhost/base:1",
        ("pip install x",),
    )
    assert [job.id for job in run_status.jobs] == [f"{run_status.id}.build"]
    failed = status.read(document("build-fails"))
    assert failed.experiments[1].message == f"{failed.id}.build failed: exit code 7"


def test_a_result_is_read_from_the_output_of_a_job() -> None:
    assert status.read(document("success")).result == {"accuracy": 0.9}


REASONS = {  # Phase, message and exit code of the node; state and reason, and the message if it is another one.
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
    "deleted": (
        "Error",
        "pod deleted",
        None,
        "FAILED DELETED",
        "pod deleted externally",
    ),
    "succeeded": ("Succeeded", "", 0, "FINISHED COMPLETED", ""),
}


@pytest.mark.parametrize(
    ("phase", "message", "code", "line", "expected"), REASONS.values(), ids=REASONS
)
def test_a_job_has_a_reason_and_a_message(
    phase: str, message: str, code: int | None, line: str, expected: str | None
) -> None:
    root = {
        "phase": phase,
        "message": message,
        **({} if code is None else {"code": code}),
    }
    (job,) = first(made(root)).jobs
    assert f"{job.state.value} {job.reason}".strip() == line
    assert job.message == (message if expected is None else expected)


def test_a_job_between_attempts_waits_and_quotes_the_last_failure() -> None:
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
def test_a_kill_between_attempts_counts_if_another_one_could_follow(
    attempts: int, state: State
) -> None:
    root = {
        "phase": "Failed",
        "attempts": [("Failed", 4)] * attempts,
        "finishedAt": "2026-01-01T00:02:00Z",
    }
    run = killed(
        made(root, template={"retryStrategy": {"limit": "2"}}), "1=2026-01-01T00:01:30Z"
    )
    assert first(run).state == state


def test_an_experiment_starts_with_its_first_attempt() -> None:
    run = made({"phase": "Running", "attempts": [("Failed", 4), ("Running", 0)]})
    attempt_nodes = [
        n for n in run["status"]["nodes"].values() if n["name"].endswith("(1)")
    ]
    attempt_nodes[0]["startedAt"] = "2026-01-01T00:05:00Z"
    experiment = first(run)
    assert experiment.started == datetime(2026, 1, 1, 0, 0, 10, tzinfo=UTC)
    assert experiment.jobs[0].started == datetime(2026, 1, 1, 0, 5, tzinfo=UTC)


def test_the_start_of_a_container_is_used_if_the_engine_records_it() -> None:
    assert first(
        made({"phase": "Running", "runningAt": "2026-01-01T00:00:30.5Z"})
    ).started == datetime(2026, 1, 1, 0, 0, 30, 500_000, UTC)


@pytest.mark.parametrize(
    ("value", "result"),
    [('{"a": 1}', {"a": 1}), ("0.5", {"result": 0.5}), ("", None), ("{", None), ("null", None), ("[" * 9999, None)],
)  # fmt: skip
def test_a_result_is_the_last_value_that_a_job_reported(
    value: str, result: object
) -> None:
    outputs = {"parameters": [{"name": "result", "value": value}]}
    assert first(made({"phase": "Succeeded", "outputs": outputs})).result == result


@pytest.mark.parametrize(
    ("value", "progress"),
    [("3/10", (3, 10)), ("0/1", None), ("1/1", None), ("x/y", None), ("", None)],
)
def test_progress_is_what_a_job_wrote(value: str, progress: object) -> None:
    assert first(made({"phase": "Running", "progress": value})).progress == progress


COUNTS = {
    "nothing": ({}, "CREATED"),
    "waiting": ({"CREATED": 3}, "CREATED"),
    "building": ({"BUILDING": 3}, "BUILDING"),
    "one pending": ({"CREATED": 3, "PENDING": 1}, "PENDING"),
    "one starting": ({"CREATED": 3, "PENDING": 1, "STARTING": 1}, "STARTING"),
    "one running": ({"PENDING": 3, "RUNNING": 1}, "RUNNING"),
    "between experiments": ({"CREATED": 3, "FAILED": 1}, "RUNNING"),
    "all finished": ({"FINISHED": 3}, "FINISHED"),
    "one failed": ({"FINISHED": 3, "KILLED": 1, "FAILED": 1}, "FAILED"),
    "one killed": ({"FINISHED": 3, "KILLED": 1}, "KILLED"),
    "zeros": ({"RUNNING": 0, "FINISHED": 1, "FAILED": 0}, "FINISHED"),
}


@pytest.mark.parametrize(("counts", "state"), COUNTS.values(), ids=COUNTS)
def test_state_of_a_set(counts: dict[State, int], state: str) -> None:
    assert status.set_state(counts) == State(state)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        # That of the first attempt, which failed, had of_0.
        ("result-of-attempts", {"of_1": 1}),
        # Its line has more characters than Argo is given; it is read from the volume.
        ("result-long", None),
    ],
)
def test_the_result_is_that_of_the_recorded_last_attempt(
    name: str, expected: dict[str, int] | None
) -> None:
    assert status.read(document(name)).result == expected


def test_the_recorded_job_says_which_files_were_kept() -> None:
    (experiment,) = status.read(document("files-kept")).experiments
    assert experiment.workdir == "3 files, 31 bytes, in workdir/"


def test_the_record_of_a_run_has_the_users_repository() -> None:
    run = SetStatus("14", git=GitState("abc", "main", dirty=None), image_key="k")
    data = json.loads(json.dumps(to_data(run), default=encode))
    assert data["git"] == {"commit": "abc", "branch": "main", "dirty": None}
    assert from_data(data) == run


def test_records_of_earlier_versions_have_no_repository() -> None:
    data = to_data(SetStatus("14"))
    del data["git"]
    assert from_data(data).git is None


@pytest.mark.parametrize(
    ("text", "git"),
    [
        (
            '{"commit": "a", "branch": "b", "dirty": true}',
            GitState("a", "b", dirty=True),
        ),
        ('{"commit": "a", "dirty": []}', GitState("a")),
        ('{"branch": "b"}', None),
        ("[]", None),
        ("{", None),
        (None, None),
    ],
)
def test_the_annotation_of_the_users_repository(
    text: str | None, git: GitState | None
) -> None:
    document = {"metadata": {"annotations": {labels.GIT: text}}}
    assert status.read(document).git == git
