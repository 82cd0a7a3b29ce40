"""What a document says in RiseML's words: recorded from a real Argo, and made up for what no cluster does on demand."""

import base64
import copy
import gzip
import json
import random
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from riseml import status
from riseml.spec import Resources
from riseml.status import State
from tests.unit.recordings import NAMES, document, moments, told

Document = dict[str, Any]
MOMENTS = [(f"{name} {moment}", then, expect) for name in NAMES for moment, then, expect in moments(name)]


@pytest.mark.parametrize(("then", "expect"), [m[1:] for m in MOMENTS], ids=[m[0] for m in MOMENTS])
def test_recorded(then: Document, expect: Document) -> None:
    assert told(then) == expect


@pytest.mark.parametrize("then", [m[1] for m in MOMENTS], ids=[m[0] for m in MOMENTS])
def test_one_cell_alone_reads_as_in_the_whole(then: Document) -> None:
    whole = status.read(then)
    outline = status.outline(then)
    nodes = list(then.get("status", {}).get("nodes", {}).values())
    for position, experiment in enumerate(whole.experiments):
        own = [node for node in nodes if outline.position(node) == position]
        assert status.read_experiment(outline, position, own) == experiment
    assert status.assemble(outline, whole.experiments) == whole


def made(*cells: Document, items: int | None = None, template: Document | None = None, **status: Any) -> Document:
    """Return the Workflow `net-14`; a cell is the phase of its job, or the fields of its nodes (see `_cell`)."""
    count = max(len(cells), items or 0)
    nodes = {"root": node("net-14", "DAG", "Running"), "set": node("net-14.set", "DAG", "Running")}
    for i, cell in enumerate(cells):
        nodes |= {n["name"]: n for n in _cell(i, cell)}
    with_items = [{"riseml-sub": str(i + 1), "lr": f"1e-{i}"} for i in range(count)]
    cell_task = {"name": "experiment", "template": "experiment", "withItems": with_items}
    train = {"name": "train", "container": {"image": "python:3", "args": ["script", "riseml", "a"]}, **(template or {})}
    templates = [
        {"name": "main", "dag": {"tasks": [{"name": "set", "template": "set"}]}},
        {"name": "set", "parallelism": 2, "dag": {"tasks": [cell_task]}},
        {"name": "experiment", "dag": {"tasks": [{"name": "train", "template": "train"}]}},
        train,
    ]
    names = {"user": "me", "project": "net", "number": "14", "kind": "set"}
    metadata = {
        "name": "net-14",
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "labels": {f"riseml.io/{key}": value for key, value in names.items()},
        "annotations": {"riseml.io/killed": ""},
    }
    return {
        "metadata": metadata,
        "spec": {"entrypoint": "main", "templates": templates},
        "status": {"phase": "Running", "nodes": nodes, **status},
    }


def node(name: str, kind: str, phase: str, **fields: Any) -> Document:
    """Return a node; one that has ended did so at 00:01:00."""
    ended = {} if phase in {"Pending", "Running", ""} else {"finishedAt": "2026-01-01T00:01:00Z"}
    return {
        "id": name,
        "name": name,
        "type": kind,
        "phase": phase,
        "startedAt": "2026-01-01T00:00:10Z",
        **ended,
        **fields,
    }


def _cell(position: int, cell: Document) -> Iterator[Document]:
    name = f"net-14.set.experiment({position}:lr:1e-{position},riseml-sub:{position + 1})"
    phase = str(cell.get("phase", "Running"))
    yield node(name, "DAG", phase if phase != "Pending" else "Running")
    fields = {key: value for key, value in cell.items() if key not in {"phase", "code", "attempts"}}
    if "code" in cell:
        fields["outputs"] = {"exitCode": str(cell["code"])}
    if "attempts" in cell:
        yield node(f"{name}.train", "Retry", cell["phase"], **fields)
        for i, (phase, code) in enumerate(cell["attempts"]):
            yield node(f"{name}.train({i})", "Pod", phase, outputs={"exitCode": str(code)})
    elif "phase" in cell:
        yield node(f"{name}.train", "Pod", cell["phase"], **fields)


def killed(document: Document, entries: str, **spec: Any) -> Document:
    """Return the document with an annotation of kills."""
    document["metadata"]["annotations"]["riseml.io/killed"] = entries
    document["spec"].update(spec)
    return document


def first(document: Document) -> status.ExperimentStatus:
    """Return the first experiment of a document."""
    return status.read(document).experiments[0]


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
    "nonsense": (",,=,1", {}, State.FAILED),
}  # fmt: skip


@pytest.mark.parametrize(("entries", "fields", "state"), KILLS.values(), ids=KILLS)
def test_a_kill_counts_from_its_time_on(entries: str, fields: Document, state: State) -> None:
    assert first(killed(made({**ENDED, **fields}), entries)).state == state


def test_terminated_without_an_annotation_is_told_by_how_it_ended() -> None:
    run = killed(made(ENDED, {"phase": "Failed", "code": 3}, items=3, phase="Failed"), "", shutdown="Terminate")
    states = [experiment.state for experiment in status.read(run).experiments]
    assert states == [State.KILLED, State.FAILED, State.KILLED]


def jobs(document: Document) -> dict[str, str]:
    """Return state and reason of each job of the only experiment, by type and index."""
    experiment = first(document)
    return {job.id.removeprefix(f"{experiment.id}."): f"{job.state.value} {job.reason}" for job in experiment.jobs}


def test_whoever_failed_first_is_guilty_and_the_others_were_ended() -> None:
    assert jobs(document("worker-fails")) == {
        "ps": "KILLED PEER",
        "worker.1": "KILLED PEER",
        "worker.2": "FAILED ERROR",
    }
    assert jobs(document("daemon-exits")) == {
        "ps": "FAILED ERROR",
        "worker.1": "KILLED PEER",
        "worker.2": "KILLED PEER",
    }


def test_a_peer_that_failed_by_itself_keeps_its_own_failure() -> None:
    run = document("worker-fails")
    for n in run["status"]["nodes"].values():
        if n["name"].endswith(".worker-1"):
            n.update(phase="Failed", message="main: Error (exit code 1)", outputs={"exitCode": "1"})
    assert jobs(run)["worker.1"] == "FAILED ERROR"
    assert (first(run).guilty or "").endswith(".worker.2")


def test_a_ps_ends_with_the_others() -> None:
    run = document("daemon-ends-with-others")
    experiment = first(run)
    ps = experiment.jobs[0]
    assert (ps.type, ps.state, ps.reason, ps.exit_code) == ("ps", State.FINISHED, "STOPPED", None)
    assert ps.finished == experiment.finished
    for n in run["status"]["nodes"].values():
        if n["name"].endswith(".ps-1"):
            n.update(phase="Failed", message="main: Error (exit code 143)", outputs={"exitCode": "143"})
    assert jobs(run)["ps"] == "FINISHED STOPPED"


def test_a_ps_that_was_ready_long_before_a_kill_is_killed_with_the_others() -> None:
    run = document("gang-killed")
    for n in run["status"]["nodes"].values():
        if n["name"].endswith(".ps-1"):
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
    "no place": ("Pending", "Unschedulable: 0/1 nodes", None, "PENDING UNSCHEDULABLE", None),
    "no quota": ("Pending", "pods x is forbidden: exceeded quota: q", None, "PENDING QUOTA", None),
    "locked": ("Pending", "Waiting for ns/Mutex/x lock. Lock status: 0/1", None, "PENDING LOCK", None),
    "creating": ("Pending", "ContainerCreating", None, "STARTING PREPARE", None),
    "pulling": ("Pending", "ImagePullBackOff: Back-off pulling", None, "STARTING IMAGE", None),
    "of a later Argo": ("Hovering", "?", None, "PENDING", None),
    "running": ("Running", "", None, "RUNNING", ""),
    "error": ("Failed", "main: Error (exit code 3)", 3, "FAILED ERROR", "exit code 3"),
    "error, code in words": ("Failed", "main: Error (exit code 3)", None, "FAILED ERROR", "exit code 3"),
    "error that says more": ("Failed", "main: Error (exit code 3): no disk", 3, "FAILED ERROR", "no disk"),
    "no such command": (
        "Failed",
        "main: Error (exit code 127)",
        127,
        "FAILED COMMAND",
        "exit code 127 (command not found)",
    ),
    "out of memory": ("Failed", "OOMKilled (exit code 137)", 137, "FAILED OOM", None),
    "node lost": ("Error", "machine restarted", None, "FAILED NODE_LOST", None),
    "evicted": ("Failed", "The node was low on resource: memory.", None, "FAILED EVICTED", None),
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


@pytest.mark.parametrize(("phase", "message", "code", "line", "told"), REASONS.values(), ids=REASONS)
def test_a_job_says_why(phase: str, message: str, code: int | None, line: str, told: str | None) -> None:
    cell = {"phase": phase, "message": message, **({} if code is None else {"code": code})}
    (job,) = first(made(cell)).jobs
    assert f"{job.state.value} {job.reason}".strip() == line
    assert job.message == (message if told is None else told)


def test_between_attempts_a_job_waits_and_tells_the_last_failure() -> None:
    strategy = {"retryStrategy": {"limit": "2"}}
    experiment = first(made({"phase": "Running", "attempts": [("Failed", 4), ("Failed", 5)]}, template=strategy))
    (job,) = experiment.jobs
    assert (job.state, job.reason, job.attempt, job.exit_code) == (State.PENDING, "RETRY", 1, 5)
    assert job.message == "attempt 2 failed: exit code 5"
    assert experiment.state == State.PENDING


@pytest.mark.parametrize(("attempts", "state"), [(1, State.KILLED), (3, State.FAILED)])
def test_a_kill_between_attempts_ends_what_could_have_gone_on(attempts: int, state: State) -> None:
    cell = {"phase": "Failed", "attempts": [("Failed", 4)] * attempts, "finishedAt": "2026-01-01T00:02:00Z"}
    run = killed(made(cell, template={"retryStrategy": {"limit": "2"}}), "1=2026-01-01T00:01:30Z")
    assert first(run).state == state


def test_an_experiment_started_with_its_first_attempt() -> None:
    run = made({"phase": "Running", "attempts": [("Failed", 4), ("Running", 0)]})
    cells = [n for n in run["status"]["nodes"].values() if n["name"].endswith("(1)")]
    cells[0]["startedAt"] = "2026-01-01T00:05:00Z"
    experiment = first(run)
    assert experiment.started == datetime(2026, 1, 1, 0, 0, 10, tzinfo=UTC)
    assert experiment.jobs[0].started == datetime(2026, 1, 1, 0, 5, tzinfo=UTC)


def test_when_a_container_began_is_believed_where_an_engine_says_it() -> None:
    assert first(made({"phase": "Running", "runningAt": "2026-01-01T00:00:30.5Z"})).started == datetime(
        2026, 1, 1, 0, 0, 30, 500_000, UTC
    )


@pytest.mark.parametrize(
    ("said", "result"),
    [('{"a": 1}', {"a": 1}), ("0.5", {"result": 0.5}), ("", None), ("{", None), ("null", None), ("[" * 9999, None)],
)  # fmt: skip
def test_results_are_what_the_job_reported_last(said: str, result: object) -> None:
    outputs = {"parameters": [{"name": "result", "value": said}]}
    assert first(made({"phase": "Succeeded", "outputs": outputs})).result == result


@pytest.mark.parametrize(
    ("said", "progress"), [("3/10", (3, 10)), ("0/1", None), ("1/1", None), ("x/y", None), ("", None)]
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


def test_a_document_that_no_engine_has_seen() -> None:
    run = made(items=2)
    del run["status"]
    found = status.read(run)
    assert (found.id, found.state, found.counts) == ("14", State.CREATED, {State.CREATED: 2})
    assert [(e.id, e.sub, e.parameters, e.reason) for e in found.experiments] == [
        ("14.1", 1, {"lr": "1e-0"}, ""),
        ("14.2", 2, {"lr": "1e-1"}, ""),
    ]
    assert [job.id for job in found.experiments[1].jobs] == ["14.2.train"]


def test_what_a_run_is_made_of() -> None:
    container = {
        "image": "python:3",
        "args": ["script", "riseml", "fit --lr {{inputs.parameters.lr}}", "echo $$(date)"],
        "resources": {"requests": {"cpu": "500m", "memory": "4Gi"}, "limits": {"nvidia.com/gpu": "2"}},
    }
    found = status.read(made({"phase": "Running"}, template={"container": container}))
    assert (found.user, found.project, found.number, found.name) == ("me", "net", 14, "net-14")
    assert (found.concurrency, found.image, found.run) == (2, "python:3", ("fit --lr {{lr}}", "echo $(date)"))
    assert found.experiments[0].jobs[0].resources == Resources(Decimal("0.5"), 4 * 2**30, 2)


def test_a_single_experiment_has_no_number_in_its_set() -> None:
    run = made({"phase": "Succeeded", "outputs": {"parameters": [{"name": "result", "value": '{"a": 1}'}]}})
    run["metadata"]["labels"]["riseml.io/kind"] = "experiment"
    found = status.read(run)
    (experiment,) = found.experiments
    assert (found.is_set, experiment.id, experiment.sub, experiment.jobs[0].id) == (False, "14", None, "14.train")
    assert found.result == {"a": 1}


def test_a_document_without_a_number_is_called_by_its_name() -> None:
    run = made(items=1)
    del run["metadata"]["labels"]["riseml.io/number"]
    assert status.read(run).id == "net-14"
    del run["metadata"]["name"]
    run["metadata"]["generateName"] = "net-"
    assert status.read(run).id == "net"


def test_compressed_nodes_are_read() -> None:
    run = made({"phase": "Succeeded", "code": 0}, phase="Succeeded")
    nodes = run["status"].pop("nodes")
    run["status"]["compressedNodes"] = base64.b64encode(gzip.compress(json.dumps(nodes).encode())).decode()
    assert first(run).exit_code == 0
    run["status"]["compressedNodes"] = "no gzip"
    assert first(run).state == State.FINISHED


@pytest.mark.parametrize(
    ("phase", "state"), [("Succeeded", State.FINISHED), ("Failed", State.FAILED), ("Error", State.FAILED)]
)
def test_offloaded_nodes_leave_what_the_run_says(phase: str, state: State) -> None:
    run = made(items=2, phase=phase, message="why")
    run["status"]["nodes"] = {}
    assert [experiment.state for experiment in status.read(run).experiments] == [state, state]


def test_a_run_that_ended_around_a_job_says_so() -> None:
    run = made({"phase": "Running"}, phase="Error", message="controller lost its mind")
    experiment = first(run)
    assert (experiment.state, experiment.reason) == (State.FAILED, "PLATFORM")
    assert experiment.message == "controller lost its mind"


NONSENSE: tuple[Any, ...] = (
    None,
    7,
    -1.5,
    True,
    "",
    "?",
    [],
    {},
    [None],
    {"": None},
    ["a"],
    {"name": "x"},
    "2026-99-99T00:00:00Z",
    "9" * 5000,
    "1e999999999",
)


@pytest.mark.parametrize("name", NAMES)
def test_a_broken_document_never_fails(name: str) -> None:
    chance = random.Random(name)
    for _ in range(100):
        broken = copy.deepcopy(document(name))
        for _ in range(chance.randint(1, 6)):
            _break(broken, chance)
        found = status.read(broken)
        assert found.state in State


def _break(value: Any, chance: random.Random) -> None:
    """Replace or remove something somewhere inside."""
    while True:
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        if not keys:
            return
        key = chance.choice(keys)
        if isinstance(value[key], dict | list) and value[key] and chance.random() < 0.8:
            value = value[key]
        elif isinstance(value, dict) and chance.random() < 0.5:
            del value[key]
            return
        else:
            value[key] = chance.choice(NONSENSE)
            return


@pytest.mark.parametrize("value", [None, [], "x", 3, {}, {"metadata": 1, "spec": [], "status": ""}])
def test_no_document_at_all(value: Any) -> None:
    assert status.read(value).state in State


def test_reading_needs_nothing_heavy() -> None:
    code = "import sys, riseml.status; print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {
        "json",
        "subprocess",
        "asyncio",
        "hera",
        "kubernetes",
        "pydantic",
        "yaml",
        "typer",
        "rich",
        "gzip",
        "logging",
    }
    assert not heavy & set(found.stdout.split())


def test_statuses_are_values() -> None:
    run = status.read(made({"phase": "Running"}))
    assert replace(run) == run
    assert status.read(made({"phase": "Running"})) == run
