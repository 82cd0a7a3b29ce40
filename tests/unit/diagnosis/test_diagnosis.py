"""Explanations of recorded clusters (`test_situations.py`), and of rarer situations."""

import json
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import pytest

from riseml import ids, status
from riseml.cluster.api import Api
from riseml.diagnosis import Cause, Evidence, explain, guilty
from riseml.engines.argo import pods
from riseml.plan import Resources
from riseml.status import ExperimentStatus, JobStatus, SetStatus, State, reasons
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
    recorded = evidence(record)
    causes = explain(recorded)
    expected = record["expect"]
    if "status" in expected:
        assert _status(recorded) == expected["status"]
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


def _status(evidence: Evidence) -> str:
    """Return the state and the reason that `riseml status` shows for the subject."""
    part = evidence.subject
    if isinstance(part, SetStatus):
        part = part.experiments[0]
    return f"{part.state} {part.reason}".strip()


def test_recordings_cover_the_common_reasons() -> None:
    kinds = {json.loads(file.read_text("utf-8"))["expect"]["kind"] for file in RECORDS}
    assert {
        "QUOTA", "UNSCHEDULABLE", "IMAGE", "SECRET", "CLAIM", "CONTROLLER", "RIGHTS", "CONCURRENCY", "ERROR", "COMMAND",
        "OOM", "TIMEOUT", "EVICTED", "DELETED", "KILLED", "PEER", "GATED", "WEBHOOK", "PARALLELISM",
        "LIMITS", "GANG", "LOCK", "REJECTED",
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
        (
            "2 node(s) didn't match pod affinity rules",
            "2 nodes other than that of your volumes",
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


def test_a_gpu_of_somebody_else_may_be_shared() -> None:
    holder = "GPU 0 is in use by python3 (pid 7, user ida, 900 MB)"
    text = f"waiting: 1 gpu needed, 0 free; {holder}"
    found = why(job("UNSCHEDULABLE", text), has_cluster=False)
    assert found.explanation == text
    (advice,) = found.fix
    assert advice == (
        "It starts by itself when a GPU is free. After `riseml config set gpus.shared_with_others true`,"
        " new runs also get GPUs that others use."
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


@pytest.mark.parametrize(
    ("runner", "install", "explanation"),
    [
        ("podman", (), "the image is not here yet: pulling me/net:1"),
        ("podman", ("make",), "the image is being built: pulling me/net:1"),
        ("process", ("make",), "the environment is being installed: pulling me/net:1"),
    ],
)
def test_an_image_that_is_pulled_says_so(
    runner: str, install: tuple[str, ...], explanation: str
) -> None:
    job = JobStatus("14.build", "build", state=State.RUNNING)
    experiments = (ExperimentStatus("14", state=State.BUILDING),)
    run = SetStatus("14", state=State.BUILDING, experiments=experiments, jobs=(job,))
    run = replace(run, runner=runner, install=install)
    log = ("==> pulling me/net:1", "12 MB of 50 MB, 1 of 5 layers")
    (cause,) = explain(Evidence(run, run, has_cluster=False, logs={job.id: log}))
    assert (cause.explanation, cause.evidence) == (explanation, log)


@pytest.mark.parametrize(
    ("install", "explanation"),
    [
        ((), "the image could not be pulled: there is no image me/net:1"),
        (("make",), "the image could not be built: there is no image me/net:1"),
    ],
)
def test_an_image_that_is_not_there_is_named_once(
    install: tuple[str, ...], explanation: str
) -> None:
    message = "there is no image me/net:1"
    failed_job = JobStatus(
        "14.build", "build", state=State.FAILED, reason="ERROR", message=message
    )
    run = SetStatus("14", state=State.FAILED, jobs=(failed_job,), install=install)
    run = replace(run, runner="podman")
    log = ("==> pulling me/net:1", message)
    evidence = Evidence(run, failed_job, logs={failed_job.id: log})
    (cause,) = explain(evidence)
    assert cause.explanation == explanation
    assert cause.evidence == (message, log[0])


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


def test_a_gpu_that_no_node_has_is_named() -> None:
    text = (
        "Unschedulable: 0/3 nodes are available: 1 Insufficient nvidia.com/gpu.shared,"
        " 2 node(s) didn't match Pod's node affinity/selector. preemption: not helpful."
    )
    request = Resources(gpus=1, gpu_mem=24_000_000_000, gpu_type="a100")
    cause = why(job("UNSCHEDULABLE", text, resources=request))
    assert cause.explanation == (
        "no node can run it: 1 node without enough free gpus;"
        " 2 nodes without the GPU that it requests: a100 with 24 GB"
    )
    assert cause.fix[0].startswith(
        "It requests 1 cpus, 512 MB, 1 gpus a100 with 24 GB on one node."
    )
    assert cause.fix[-1] == (
        "If no node has such a GPU, it never starts: change gpu_type or gpu_mem under `resources`."
        " Administrators see all GPUs with `riseml system info -g`."
    )


# Jobs without a reason that RiseML knows


def test_an_unknown_message_is_quoted_and_never_called_about_to_start() -> None:
    cause = why(job("", "ResourceFlavor not ready: try the moon"))
    assert cause.kind == "PENDING"
    assert cause.explanation == "it is waiting, and this is all that is known about it"
    assert cause.evidence == ("ResourceFlavor not ready: try the moon",)


@pytest.mark.parametrize(
    ("spec", "explanation"),
    [
        ({}, "the cluster's scheduler has not chosen a node for it yet"),
        (
            {"schedulerName": "volcano"},
            "the scheduler volcano has not chosen a node for it yet",
        ),
        ({"nodeName": "node-1"}, "its node node-1 has not started it yet"),
    ],
)
def test_a_pod_without_a_message_waits_for_a_named_part_of_the_cluster(
    spec: dict[str, Any], explanation: str
) -> None:
    pod = {
        "metadata": {
            "name": "net-14-train-7",
            "annotations": {"workflows.argoproj.io/node-id": "net-14-7"},
        },
        "spec": spec,
        "status": {"phase": "Pending"},
    }
    cause = why(job(""), pods=[pod])
    assert (cause.kind, cause.explanation) == ("PENDING", explanation)


def test_a_job_without_a_pod_is_about_to_start() -> None:
    assert why(job("")).explanation == "it is about to start"


# Quotas, in the amounts of riseml.yml

REQUEST = Resources(cpus=Decimal("0.2"), mem=200_000_000)


def refused(resources: str, name: str = "riseml") -> Cause:
    text = f'pods "net-14" is forbidden: exceeded quota: {name}, {resources}'
    return why(job("QUOTA", text, resources=REQUEST))


@pytest.mark.parametrize(
    ("resources", "explanation", "options"),
    [
        (
            "requested: requests.cpu=200m, used: requests.cpu=1, limited: requests.cpu=1100m",
            "it needs 0.2 cpus, and the quota is used up: cpus (1 of 1.1 in use)",
            "--cpus N",
        ),
        (
            "requested: requests.memory=233554432, used: requests.memory=1Gi, limited: requests.memory=1G",
            (
                "it needs 234 MB (200 MB for the job, the rest for Argo's containers beside it),"
                " and the quota is used up: mem (1.1 GB of 1 GB in use)"
            ),
            "--mem AMOUNT",
        ),
        (
            (
                "requested: requests.cpu=210m,requests.nvidia.com/gpu=1,"
                " used: requests.cpu=0,requests.nvidia.com/gpu=4,"
                " limited: requests.cpu=200m,requests.nvidia.com/gpu=4"
            ),
            (
                "it requests 0.21 cpus (0.2 for the job, the rest for Argo's containers beside it), 1 gpu,"
                " but the quota allows no more than 0.2 cpus at all"
            ),
            "--cpus N --gpus N",
        ),
    ],
)
def test_a_quota_is_explained_in_the_amounts_of_riseml_yml(
    resources: str, explanation: str, options: str
) -> None:
    cause = refused(resources)
    assert cause.explanation == explanation
    assert cause.fix[-1] == (
        f"An administrator can raise the quota: `riseml user update --username paul {options}`."
    )


def test_a_quota_of_pods_or_of_someone_else_is_not_one_of_riseml() -> None:
    pods_quota = refused("requested: pods=1, used: pods=3, limited: pods=3")
    assert pods_quota.explanation == (
        "it needs 1 pod, and the quota is used up: pods (3 of 3 in use)"
    )
    assert pods_quota.fix[-1] == (
        "An administrator can raise the ResourceQuota riseml of the namespace (pods)."
    )
    text = "requested: requests.cpu=1, used: requests.cpu=3, limited: requests.cpu=3"
    assert "ResourceQuota team" in refused(text, "team").fix[-1]


def test_a_quota_of_claims_holds_up_a_whole_workflow() -> None:
    text = (
        'Waiting for a PVC to be created. persistentvolumeclaims "net-14-scratch" is forbidden: exceeded quota: team,'
        " requested: persistentvolumeclaims=1, used: persistentvolumeclaims=3, limited: persistentvolumeclaims=3"
    )
    assert reasons.waiting(text) == ("QUOTA", False)
    assert why(job("QUOTA", text)).explanation == (
        "it needs 1 claim, and the quota is used up: claims (3 of 3 in use)"
    )
