"""Explanations of what a cluster said, as `test_situations.py` records it, and of what none says on demand."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import pytest

from riseml import ids, status
from riseml.cluster.api import Api
from riseml.diagnosis import Cause, Evidence, explain, guilty
from riseml.engines.argo import pods
from riseml.plan import Resources
from riseml.status import ExperimentStatus, JobStatus, SetStatus, State
from riseml.status.select import pick

RECORDS = sorted((Path(__file__).parents[2] / "fixtures" / "why").glob("*.json"))


class Recorded:
    """An API server that says what was recorded."""

    def __init__(self, told: dict[str, Any]) -> None:
        self.told = told

    def items(self, at: str, **query: Any) -> list[Any]:
        return list(self.told[at.rpartition("/")[2]])


def evidence(told: dict[str, Any]) -> Evidence:
    documents, now = told["documents"], datetime.fromisoformat(told["now"])
    whole = pods.explained(
        cast(Api, Recorded(told)),
        "riseml-me",
        documents,
        status.read(documents[0]),
        now,
    )
    around = {name: told[name] for name in ("pods", "events", "claims")}
    return Evidence(
        whole,
        pick(whole, ids.parse(told["id"])),
        documents=documents,
        logs=told["logs"],
        **around,
    )


@pytest.mark.parametrize("file", RECORDS, ids=[file.stem for file in RECORDS])
def test_what_a_cluster_said(file: Path) -> None:
    told = json.loads(file.read_text("utf-8"))
    causes = explain(evidence(told))
    expected = told["expect"]
    found = [
        cause
        for cause in causes
        if cause.kind == expected["kind"] and expected["words"] in cause.explanation
    ]
    assert found, causes
    (first,) = found
    if first.kind not in {"RUNNING", "KILLED", "CONCURRENCY", "PEER", "COMPLETED"}:
        assert first.evidence
    if first.kind not in {"RUNNING", "KILLED"}:
        assert first.fix
    assert not any(
        "\n" in line or not line.strip()
        for line in (*first.evidence, *first.fix, first.explanation)
    )


def test_there_are_enough_recordings() -> None:
    kinds = {json.loads(file.read_text("utf-8"))["expect"]["kind"] for file in RECORDS}
    assert {
        "QUOTA", "UNSCHEDULABLE", "IMAGE", "SECRET", "CLAIM", "CONTROLLER", "RIGHTS", "CONCURRENCY", "ERROR", "COMMAND",
        "OOM", "TIMEOUT", "EVICTED", "DELETED", "KILLED", "PEER",
    } <= kinds  # fmt: skip


# What no cluster does on demand


def job(
    reason: str, message: str = "", state: State = State.PENDING, **more: Any
) -> JobStatus:
    values = {"node_id": "net-14-7", "resources": Resources(), **more}
    return JobStatus(
        "14.train", "train", state=state, reason=reason, message=message, **values
    )


def why(one: JobStatus, **around: Any) -> Cause:
    guilty = one.id if one.state is State.FAILED else None
    experiment = ExperimentStatus(
        "14", state=one.state, jobs=(one,), reason=one.reason, guilty=guilty
    )
    whole = SetStatus(
        "14", user="paul", image="python:3", state=one.state, experiments=(experiment,)
    )
    (found,) = explain(Evidence(whole, around.pop("part", whole), **around))
    return found


@pytest.mark.parametrize(
    ("message", "what"),
    [
        ("1 node(s) had untolerated taint(s)", "1 node kept for others"),
        (
            "2 node(s) had untolerated taint {gpu: yes}",
            "2 nodes kept for others (taint gpu: yes)",
        ),
        (
            "3 node(s) didn't match Pod's node affinity/selector",
            "3 nodes not among those that the cluster's settings choose",
        ),
        ("1 node(s) were unschedulable", "1 node closed by an administrator"),
        ("2 Insufficient nvidia.com/gpu", "2 nodes without enough free gpus"),
        ("1 Too many pods", "1 node: Too many pods"),
        (
            "1 node(s) had volume node affinity conflict",
            "1 node that cannot reach a volume",
        ),
    ],
)
def test_the_schedulers_tally(message: str, what: str) -> None:
    text = f"Unschedulable: 0/3 nodes are available: 1 Insufficient cpu, {message}. preemption: not helpful."
    found = why(job("UNSCHEDULABLE", text))
    assert found.kind == "UNSCHEDULABLE"
    assert found.explanation.startswith(
        f"no node takes it: 1 node without enough free cpus; {what}"
    )
    assert found.evidence == (text.removeprefix("Unschedulable: "),)


@pytest.mark.parametrize(
    ("message", "kind", "what"),
    [
        (
            'persistentvolumeclaim "riseml-data" not found',
            "CLAIM",
            "the claim riseml-data is not there",
        ),
        (
            'persistentvolumeclaim "riseml-data" is being deleted',
            "CLAIM",
            "the claim riseml-data is being deleted",
        ),
        ("nothing that anybody knows", "UNSCHEDULABLE", "no node takes it"),
    ],
)
def test_claims_that_keep_a_pod_from_its_node(
    message: str, kind: str, what: str
) -> None:
    claims = [{"metadata": {"name": "riseml-data"}, "status": {"phase": "Lost"}}]
    found = why(job("UNSCHEDULABLE", f"Unschedulable: {message}"), claims=claims)
    assert (found.kind, found.explanation) == (kind, what)
    assert ("claim riseml-data: Lost" in found.evidence) == (kind == "CLAIM")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (
            "failed to resolve reference: pull access denied, repository does not exist or may require authorization",
            "does not give out",
        ),
        ("unexpected status: 401 Unauthorized", "does not give out"),
        ("dial tcp: lookup registry.lab: no such host", "cannot reach the registry"),
        (
            "http: server gave HTTP response to HTTPS client",
            "cannot reach the registry",
        ),
        ("manifest unknown", "there is no image python:3"),
        ("something new", "has not come yet"),
    ],
)
def test_images_that_do_not_come(text: str, what: str) -> None:
    found = why(job("IMAGE", f"ImagePullBackOff: {text}", State.STARTING))
    assert what in found.explanation
    assert text in found.evidence[0]


def test_a_mutex_names_who_holds_it() -> None:
    waiting = {
        "mutex": {
            "waiting": [
                {"holder": "riseml-me/mnist-13/mnist-13-1", "mutex": "riseml-build-abc"}
            ]
        }
    }
    one = job(
        "LOCK", "Waiting for riseml-me/Mutex/riseml-build-abc lock. Lock status: 0/1"
    )
    found = why(
        one,
        documents=[
            {"metadata": {"name": "net-14"}, "status": {"synchronization": waiting}}
        ],
    )
    assert found.explanation == "the same image is being built for another run"
    assert "held by riseml-me/mnist-13/mnist-13-1" in found.evidence


def test_experiments_that_wait_for_a_build() -> None:
    build = JobStatus(
        "14.build",
        "build",
        state=State.PENDING,
        reason="LOCK",
        message="Waiting for x/Mutex/riseml-build-y lock",
    )
    cells = tuple(
        ExperimentStatus(f"14.{n}", n, State.BUILDING, reason="BUILD")
        for n in (1, 2, 3)
    )
    whole = SetStatus(
        "14", is_set=True, state=State.BUILDING, experiments=cells, jobs=(build,)
    )
    (found,) = explain(Evidence(whole, whole))
    assert found.kind == "LOCK"
    assert found.explanation == "the same image is being built for another run"


def test_a_build_that_fails_is_told_once_for_all_its_experiments() -> None:
    build = JobStatus(
        "14.build",
        "build",
        state=State.FAILED,
        reason="ERROR",
        exit_code=1,
        message="exit code 1",
    )
    cells = tuple(
        ExperimentStatus(
            f"14.{n}", n, State.FAILED, reason="BUILD", guilty="14.build", exit_code=1
        )
        for n in (1, 2)
    )
    whole = SetStatus(
        "14", is_set=True, state=State.FAILED, experiments=cells, jobs=(build,)
    )
    assert guilty(whole) == ["14.build"]
    (found,) = explain(
        Evidence(whole, whole, logs={"14.build": ["#5 ERROR: pip failed"]})
    )
    assert found.explanation == "the image could not be built: exit code 1"
    assert found.evidence == ("#5 ERROR: pip failed",)


def test_equal_causes_are_one() -> None:
    cells = tuple(
        ExperimentStatus(f"14.{n}", n, State.CREATED, reason="CONCURRENCY")
        for n in range(2, 20)
    )
    first = ExperimentStatus("14.1", 1, State.RUNNING)
    whole = SetStatus(
        "14",
        is_set=True,
        state=State.RUNNING,
        concurrency=1,
        experiments=(first, *cells),
    )
    runs, waits = explain(Evidence(whole, whole))
    assert (runs.kind, runs.ids) == ("RUNNING", ("14.1",))
    assert waits.ids == tuple(each.id for each in cells)
    assert waits.explanation == "its set runs 1 experiment at a time, now 14.1"


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (
            job("UNSCHEDULABLE", "Unschedulable: cpus: 2 asked for, 0 free"),
            "this machine has no room",
        ),
        (
            job("NODE_LOST", "machine restarted", State.FAILED),
            "the machine was restarted",
        ),
        (
            job("COMMAND", "exit code 127", State.FAILED, exit_code=127),
            "a command of `run` is not there",
        ),
        (
            job("ERROR", "exit code 139", State.FAILED, exit_code=139),
            "segmentation fault",
        ),
    ],
)
def test_on_this_machine(one: JobStatus, words: str) -> None:
    found = why(one, engine="local")
    assert words in found.explanation
    assert not any(
        "administrator" in line or "node" in line.replace("node-lost", "")
        for line in found.fix
    )


@pytest.mark.parametrize("reason", ["PODSECURITY", "", "SOMETHING_NEW"])
@pytest.mark.parametrize("state", list(State))
def test_words_that_nobody_knows_yet_are_no_error(state: State, reason: str) -> None:
    found = why(job(reason, "said so", state))
    assert found.state is state
    assert found.explanation


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        (
            'pods "x" is forbidden: violates PodSecurity "baseline:latest": privileged',
            "POLICY",
        ),
        (
            "ValidatingAdmissionPolicy 'riseml-user-pods' denied request: no hostPath",
            "POLICY",
        ),
        (
            'workflowtaskresults.argoproj.io is forbidden: User "system:serviceaccount:a:b" cannot create resource',
            "RIGHTS",
        ),
        ("the moon was in the way", "PLATFORM"),
    ],
)
def test_failures_of_the_platform(message: str, kind: str) -> None:
    found = why(job("PLATFORM", message, State.FAILED))
    assert found.kind == kind
    assert found.evidence == (message,)
    assert found.fix
