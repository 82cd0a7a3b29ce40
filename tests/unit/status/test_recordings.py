"""Interpreter compared with a real Argo: recorded ends of pods lead to the recorded outcome and phases."""

import copy
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from riseml import labels, status
from riseml.engines.local.interpreter.events import (
    Annotated,
    DeletePods,
    PodEnded,
    Shutdown,
)
from riseml.status import State
from tests.unit.recordings import NAMES, document, load, told
from tests.unit.simulator import End, Simulator

HOOK = End()
NOT_LOCAL = {
    "refused": "the interpreter's support check refuses it before anything starts",
    "gang-experiment-killed": "its jobs are signalled one by one while the first one's hook deletes the rest",
    "gang-waits": "here a gang starts as a whole, so no part of one gives back what it has",
    "gang-released": "here a gang starts as a whole, so no part of one waits for the rest",
}
DELETED = {"pod-deleted", "evicted"}  # Someone deleted the pod.
PLAYED = [name for name in NAMES if name not in NOT_LOCAL]


@pytest.mark.parametrize("name", PLAYED)
def test_the_outcome_is_the_same(name: str) -> None:
    expected, outcome = load(name)["expect"], told(play(name))
    # Argo keeps no exit code of a daemon that is killed.
    assert [line.removesuffix(" 143") for line in outcome.pop("members", ())] == [
        line.removesuffix(" 143") for line in expected.pop("members", ())
    ]
    assert outcome == expected


@pytest.mark.parametrize(
    "name", [name for name in PLAYED if len(load(name)["phases"]) >= 5]
)
def test_phases_are_the_same_where_argo_agrees_with_itself(name: str) -> None:
    recordings = load(name)["phases"]
    agreeing = {
        node: phase
        for node, phase in recordings[0].items()
        if all(other.get(node) == phase for other in recordings)
    }
    outcome = phases(play(name))
    assert {node: outcome.get(node) for node in agreeing} == agreeing
    assert set(outcome) == set().union(*recordings)


def phases(document: dict[str, Any]) -> dict[str, str]:
    """Return the phase of every node by its name below the Workflow's."""
    name = document["metadata"]["name"]
    return {
        n["name"].removeprefix(name).lstrip("."): n["phase"]
        for n in document["status"]["nodes"].values()
    }


def play(name: str) -> dict[str, Any]:
    """Run a recorded document with the recorded ends of its pods, kills and deletions."""
    recorded = document(name)
    submitted, entries = _as_submitted(recorded)
    nodes = recorded["status"]["nodes"].values()
    pods = {
        n["name"]: n
        for n in nodes
        if n["type"] == "Pod" and not n.get("nodeFlag", {}).get("hooked")
    }
    stopped = set(_stopped(recorded))
    ends = {
        pod: _end(node, stopped=pod in stopped or name in DELETED)
        for pod, node in pods.items()
    }
    simulator = Simulator(submitted, lambda job: ends.get(job.name, HOOK))
    simulator._act(simulator.run.start(simulator.now))
    acted = not (entries or name in DELETED)
    while True:
        if not acted and _quiet(simulator, ends):
            acted = True
            _intervene(simulator, recorded, entries, ends)
        if not simulator.step():
            break
    assert acted, "what was done to the run was never due"
    return simulator.result()


def _as_submitted(recorded: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """Return the document as it was submitted, and the kills that were added later."""
    submitted = {
        key: copy.deepcopy(value) for key, value in recorded.items() if key != "status"
    }
    submitted["spec"].pop("shutdown", None)
    entries = submitted["metadata"]["annotations"][labels.KILLED]
    if entries.rpartition("=")[2] < submitted["metadata"]["creationTimestamp"]:
        return submitted, ""
    submitted["metadata"]["annotations"][labels.KILLED] = ""
    return submitted, entries


def _stopped(recorded: dict[str, Any]) -> Iterator[str]:
    """Yield the pods that did not end by themselves: killed, ended with a peer, or daemons."""
    nodes = recorded["status"]["nodes"]
    run = status.read(recorded)
    for job in (
        *run.jobs,
        *(job for experiment in run.experiments for job in experiment.jobs),
    ):
        if job.node_id in nodes and (
            job.state == State.KILLED or job.reason == "STOPPED"
        ):
            yield nodes[job.node_id]["name"]


def _end(node: dict[str, Any], *, stopped: bool) -> End:
    """Return the end of a pod for the simulator."""
    outputs = node.get("outputs", {})
    code = int(outputs["exitCode"]) if "exitCode" in outputs else None
    if stopped:  # A daemon's exit code is not always recorded, and a pod that never started has none.
        began = code is not None or node["phase"] == "Succeeded"
        return End(
            after=None,
            stopped=143 if began and code is None else code,
            pending=0.25 if began else 1e9,
        )
    parameters = {
        p["name"]: p["value"] for p in outputs.get("parameters", ()) if p.get("value")
    }
    seconds = max(
        (_time(node["finishedAt"]) - _time(node["startedAt"])).total_seconds(), 0.5
    )
    message = node.get("message", "")
    if message == "timeout":  # It never started.
        return End(pending=1e9)
    if node["phase"] == "Succeeded" or message == f"main: Error (exit code {code})":
        return End(code, after=seconds, outputs=parameters)
    return End(
        code, after=seconds, message=message, phase=node["phase"], outputs=parameters
    )


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _quiet(simulator: Simulator, ends: dict[str, End]) -> bool:
    """Return whether every pod has reached the state that it had before the intervention."""
    nodes = {node.name: node for node in simulator.run.nodes.values()}
    for name, end in ends.items():
        node = nodes.get(name)
        if node is None:
            return False
        if end.after is None and end.pending < 1e6 and node.phase != "Running":
            return False
    return True


def _intervene(
    simulator: Simulator, recorded: dict[str, Any], entries: str, ends: dict[str, End]
) -> None:
    """Kill, shut down or delete as in the recording."""
    now = datetime.fromtimestamp(simulator.now, UTC).isoformat()
    subs = [entry.partition("=")[0] for entry in entries.split(",") if entry]
    if not subs:
        simulator.apply(DeletePods(f"{labels.EXPERIMENT}=1"))
        return
    simulator.apply(Annotated(labels.KILLED, ",".join(f"{sub}={now}" for sub in subs)))
    if shutdown := recorded["spec"].get("shutdown"):
        simulator.apply(Shutdown(shutdown))
        return
    for key, end in simulator.jobs.items():
        if end.after is None:
            simulator._later(0.05, PodEnded(key, end.stopped))
