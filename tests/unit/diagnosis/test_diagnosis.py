"""Explanations of recorded clusters (`test_situations.py`), and of rarer situations."""

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


class RecordedApi:
    """API server that answers from a recording."""

    def __init__(self, record: dict[str, Any]) -> None:
        self.record = record

    def items(self, at: str, **query: Any) -> list[Any]:
        return list(self.record[at.rpartition("/")[2]])


def evidence(record: dict[str, Any]) -> Evidence:
    documents, now = record["documents"], datetime.fromisoformat(record["now"])
    run = pods.explained(
        cast(Api, RecordedApi(record)),
        "riseml-me",
        documents,
        status.read(documents[0]),
        now,
    )
    objects = {name: record[name] for name in ("pods", "events", "claims")}
    return Evidence(
        run,
        pick(run, ids.parse(record["id"])),
        has_cluster=True,
        documents=documents,
        logs=record["logs"],
        **objects,
    )


@pytest.mark.parametrize("file", RECORDS, ids=[file.stem for file in RECORDS])
def test_recorded_situations_are_explained(file: Path) -> None:
    record = json.loads(file.read_text("utf-8"))
    causes = explain(evidence(record))
    expected = record["expect"]
    matches = [
        cause
        for cause in causes
        if cause.kind == expected["kind"] and expected["words"] in cause.explanation
    ]
    assert matches, causes
    (first,) = matches
    if first.kind not in {"RUNNING", "KILLED", "CONCURRENCY", "PEER", "COMPLETED"}:
        assert first.evidence
    if first.kind not in {"RUNNING", "KILLED"}:
        assert first.fix
    assert not any(
        "\n" in line or not line.strip()
        for line in (*first.evidence, *first.fix, first.explanation)
    )


def test_recordings_cover_the_common_reasons() -> None:
    kinds = {json.loads(file.read_text("utf-8"))["expect"]["kind"] for file in RECORDS}
    assert {
        "QUOTA", "UNSCHEDULABLE", "IMAGE", "SECRET", "CLAIM", "CONTROLLER", "RIGHTS", "CONCURRENCY", "ERROR", "COMMAND",
        "OOM", "TIMEOUT", "EVICTED", "DELETED", "KILLED", "PEER",
    } <= kinds  # fmt: skip


# Situations that no cluster can be brought into on demand.


def job(
    reason: str, message: str = "", state: State = State.PENDING, **fields: Any
) -> JobStatus:
    values = {"node_id": "net-14-7", "resources": Resources(), **fields}
    return JobStatus(
        "14.train", "train", state=state, reason=reason, message=message, **values
    )


def why(job: JobStatus, *, has_cluster: bool = True, **evidence: Any) -> Cause:
    guilty = job.id if job.state is State.FAILED else None
    experiment = ExperimentStatus(
        "14", state=job.state, jobs=(job,), reason=job.reason, guilty=guilty
    )
    run = SetStatus(
        "14", user="paul", image="python:3", state=job.state, experiments=(experiment,)
    )
    (cause,) = explain(Evidence(run, run, has_cluster=has_cluster, **evidence))
    return cause


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("1 node(s) had untolerated taint(s)", "1 node reserved for other pods"),
        (
            "2 node(s) had untolerated taint {gpu: yes}",
            "2 nodes reserved for other pods (taint gpu: yes)",
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
def test_the_schedulers_tally_is_put_in_plain_words(message: str, reason: str) -> None:
    text = f"Unschedulable: 0/3 nodes are available: 1 Insufficient cpu, {message}. preemption: not helpful."
    cause = why(job("UNSCHEDULABLE", text))
    assert cause.kind == "UNSCHEDULABLE"
    assert cause.explanation.startswith(
        f"no node can run it: 1 node without enough free cpus; {reason}"
    )
    assert cause.evidence == (text.removeprefix("Unschedulable: "),)


@pytest.mark.parametrize(
    ("message", "kind", "explanation"),
    [
        (
            'persistentvolumeclaim "riseml-data" not found',
            "CLAIM",
            "the claim riseml-data does not exist",
        ),
        (
            'persistentvolumeclaim "riseml-data" is being deleted',
            "CLAIM",
            "the claim riseml-data is being deleted",
        ),
        ("an unknown message", "UNSCHEDULABLE", "no node can run it"),
    ],
)
def test_missing_claims_keep_a_pod_from_its_node(
    message: str, kind: str, explanation: str
) -> None:
    claims = [{"metadata": {"name": "riseml-data"}, "status": {"phase": "Lost"}}]
    cause = why(job("UNSCHEDULABLE", f"Unschedulable: {message}"), claims=claims)
    assert (cause.kind, cause.explanation) == (kind, explanation)
    assert ("claim riseml-data: Lost" in cause.evidence) == (kind == "CLAIM")


@pytest.mark.parametrize(
    ("text", "explanation"),
    [
        (
            "failed to resolve reference: pull access denied, repository does not exist or may require authorization",
            "refuses access to the image",
        ),
        ("unexpected status: 401 Unauthorized", "refuses access to the image"),
        ("dial tcp: lookup registry.lab: no such host", "cannot reach the registry"),
        (
            "http: server gave HTTP response to HTTPS client",
            "cannot reach the registry",
        ),
        ("manifest unknown", "there is no image python:3"),
        ("something new", "has not been pulled yet"),
    ],
)
def test_images_that_cannot_be_pulled(text: str, explanation: str) -> None:
    cause = why(job("IMAGE", f"ImagePullBackOff: {text}", State.STARTING))
    assert explanation in cause.explanation
    assert text in cause.evidence[0]


def test_the_holder_of_a_mutex_is_named() -> None:
    waiting = {
        "mutex": {
            "waiting": [
                {"holder": "riseml-me/mnist-13/mnist-13-1", "mutex": "riseml-build-abc"}
            ]
        }
    }
    locked = job(
        "LOCK", "Waiting for riseml-me/Mutex/riseml-build-abc lock. Lock status: 0/1"
    )
    cause = why(
        locked,
        documents=[
            {"metadata": {"name": "net-14"}, "status": {"synchronization": waiting}}
        ],
    )
    assert cause.explanation == "the same image is being built for another run"
    assert "held by riseml-me/mnist-13/mnist-13-1" in cause.evidence


def test_a_build_that_waits_explains_its_experiments() -> None:
    build = JobStatus(
        "14.build",
        "build",
        state=State.PENDING,
        reason="LOCK",
        message="Waiting for x/Mutex/riseml-build-y lock",
    )
    experiments = tuple(
        ExperimentStatus(f"14.{n}", n, State.BUILDING, reason="BUILD")
        for n in (1, 2, 3)
    )
    run = SetStatus(
        "14", is_set=True, state=State.BUILDING, experiments=experiments, jobs=(build,)
    )
    (cause,) = explain(Evidence(run, run))
    assert cause.kind == "LOCK"
    assert cause.explanation == "the same image is being built for another run"


def test_a_failed_build_is_explained_once_for_all_experiments() -> None:
    build = JobStatus(
        "14.build",
        "build",
        state=State.FAILED,
        reason="ERROR",
        exit_code=1,
        message="exit code 1",
    )
    experiments = tuple(
        ExperimentStatus(
            f"14.{n}", n, State.FAILED, reason="BUILD", guilty="14.build", exit_code=1
        )
        for n in (1, 2)
    )
    run = SetStatus(
        "14", is_set=True, state=State.FAILED, experiments=experiments, jobs=(build,)
    )
    assert guilty(run) == ["14.build"]
    logs = {"14.build": ["#5 ERROR: pip failed"]}
    (cause,) = explain(Evidence(run, run, logs=logs))
    assert cause.explanation == "the environment could not be installed: exit code 1"
    (cause,) = explain(Evidence(run, run, logs=logs, has_cluster=True))
    assert cause.explanation == "the image could not be built: exit code 1"
    assert cause.evidence == ("#5 ERROR: pip failed",)


def test_a_job_that_may_wait_for_a_finished_peer_is_explained() -> None:
    master = JobStatus("14.master", "master", state=State.RUNNING)
    worker = JobStatus("14.worker", "worker", state=State.FINISHED, exit_code=0)
    experiment = ExperimentStatus("14", state=State.RUNNING, jobs=(master, worker))
    run = SetStatus("14", state=State.RUNNING, experiments=(experiment,))
    (cause,) = explain(Evidence(run, run))
    assert cause.explanation == (
        "it runs, while 14.worker has finished; if other jobs wait for it to join, they wait in vain"
    )
    assert cause.fix[0].startswith("`riseml logs 14.worker` shows")


def test_equal_causes_are_merged() -> None:
    waiting = tuple(
        ExperimentStatus(f"14.{n}", n, State.CREATED, reason="CONCURRENCY")
        for n in range(2, 20)
    )
    first = ExperimentStatus("14.1", 1, State.RUNNING)
    run = SetStatus(
        "14",
        is_set=True,
        state=State.RUNNING,
        concurrency=1,
        experiments=(first, *waiting),
    )
    running, blocked = explain(Evidence(run, run))
    assert (running.kind, running.ids) == ("RUNNING", ("14.1",))
    assert blocked.ids == tuple(experiment.id for experiment in waiting)
    assert blocked.explanation == "its set runs 1 experiment at a time, now 14.1"


@pytest.mark.parametrize(
    ("job", "words"),
    [
        (
            job("UNSCHEDULABLE", "waiting: 2 cpus needed, 0 free"),
            "waiting: 2 cpus needed, 0 free",
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
def test_jobs_of_this_machine_get_no_advice_about_clusters(
    job: JobStatus, words: str
) -> None:
    cause = why(job, has_cluster=False)
    assert words in cause.explanation
    assert not any(
        "administrator" in line or "node" in line.replace("node-lost", "")
        for line in cause.fix
    )


@pytest.mark.parametrize("reason", ["PODSECURITY", "", "SOMETHING_NEW"])
@pytest.mark.parametrize("state", list(State))
def test_unknown_reasons_are_explained_by_their_state(
    state: State, reason: str
) -> None:
    cause = why(job(reason, "some message", state))
    assert cause.state is state
    assert cause.explanation


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
        ("something unforeseen", "PLATFORM"),
    ],
)
def test_failures_of_the_platform_are_classified(message: str, kind: str) -> None:
    cause = why(job("PLATFORM", message, State.FAILED))
    assert cause.kind == kind
    assert cause.evidence == (message,)
    assert cause.fix


def test_a_search_that_installs_its_packages_says_so() -> None:
    job = JobStatus("14.build-search", "build-search", state=State.RUNNING)
    experiments = (ExperimentStatus("14.1", state=State.BUILDING),)
    run = SetStatus("14", state=State.BUILDING, experiments=experiments, jobs=(job,))
    log = ("==> pip install optuna", "Collecting optuna")
    (cause,) = explain(Evidence(run, run, has_cluster=False, logs={job.id: log}))
    assert cause.ids == ("14.build-search",)
    assert cause.explanation == (
        "the environment is being installed in which its search chooses parameters:"
        " pip install optuna"
    )
    assert cause.evidence == log


def test_a_traceback_keeps_its_indentation() -> None:
    job = JobStatus(
        "14.train", "train", state=State.FAILED, reason="ERROR", exit_code=1
    )
    log = ("Traceback", '  File "fit.py", line 7', "    print(x)", "          ^")
    assert why(job, logs={"14.train": log}).evidence == log


def test_what_failed_comes_before_what_finished() -> None:
    finished = ExperimentStatus("15.1", state=State.FINISHED, reason="COMPLETED")
    failed = ExperimentStatus("15.2", state=State.FAILED, reason="ERROR", exit_code=1)
    run = SetStatus("15", state=State.FAILED, experiments=(finished, failed))
    causes = explain(Evidence(run, run))
    assert [cause.ids for cause in causes] == [("15.2",), ("15.1",)]
