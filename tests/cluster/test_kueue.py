"""Queues of the real Kueue on the cluster of KUBECONFIG; skipped where it is not installed.

Kueue has to manage pods (`integrations: {frameworks: [pod]}`) in namespaces with the label
`test-kueue: yes`, or in all of users.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from riseml import conditions
from riseml.cluster import keys
from riseml.cluster.api import Api, path
from riseml.cluster.users import Users
from riseml.diagnosis import Evidence, explain
from riseml.engines.argo.engine import ArgoEngine
from riseml.errors import InvalidInputError
from riseml.ids import Id
from riseml.queues import kueue
from riseml.status import SetStatus, State
from tests.cluster import residents
from tests.cluster.user_namespace import IMAGE, wait_until
from tests.contract import cluster
from tests.contract.bench import Bench

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(600),
    pytest.mark.xdist_group("kueue"),
]

USER = "kueue-test"
NAMESPACE = f"riseml-{USER}"
QUEUE, FLAVOR, PRIORITY = "riseml-test", "riseml-test", "riseml-test-urgent"
_OBJECTS = f"/apis/{kueue.VERSION}"
_DEFINITION = (
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/workloads.kueue.x-k8s.io"
)
GANG = """
framework: tensorflow
tensorflow: {tensorboard: true, distributed: {worker: 2, ps: 1}}
"""


def _quota(pods: int) -> dict[str, Any]:
    amounts = {"cpu": "100", "memory": "100Gi", "pods": str(pods)}
    resources = [
        {"name": name, "nominalQuota": amount} for name, amount in amounts.items()
    ]
    flavors = [{"name": FLAVOR, "resources": resources}]
    return {"coveredResources": list(amounts), "flavors": flavors}


def _ensure(api: Api, plural: str, kind: str, name: str, **fields: Any) -> None:
    metadata = {"name": name}
    body = {"apiVersion": kueue.VERSION, "kind": kind, "metadata": metadata, **fields}
    api.ensure(f"{_OBJECTS}/{plural}", body)


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    api = cluster.administrator()
    if api.find(_DEFINITION) is None:
        pytest.skip("the cluster has no Kueue")
    _ensure(api, "resourceflavors", "ResourceFlavor", FLAVOR)
    _ensure(
        api, "workloadpriorityclasses", "WorkloadPriorityClass", PRIORITY, value=1000
    )
    spec = {
        "namespaceSelector": {},
        "preemption": {"withinClusterQueue": "LowerPriority"},
        "resourceGroups": [_quota(3)],
    }
    _ensure(api, "clusterqueues", "ClusterQueue", QUEUE, spec=spec)
    yield api
    residents.leave(api, NAMESPACE)
    residents.wait_until_gone(api, NAMESPACE)
    for plural, name in (
        ("clusterqueues", QUEUE),
        ("resourceflavors", FLAVOR),
        ("workloadpriorityclasses", PRIORITY),
    ):
        api.delete(f"{_OBJECTS}/{plural}/{name}")


@pytest.fixture
def queue(api: Api, tmp_path: Path) -> Bench:
    """Return a bench of a user whose jobs wait in a LocalQueue."""
    settings = {"kueue": {"queue": QUEUE, "clusterQueue": QUEUE}}
    target = {**residents.OFFER.target, "queue": settings}
    user = residents.make(Users(api, replace(residents.OFFER, target=target)), USER)
    namespace = path("namespaces", None, NAMESPACE)
    api.patch(namespace, {"metadata": {"labels": {"test-kueue": "yes"}}})
    residents.wait_for_store(api, NAMESPACE)
    engine = ArgoEngine(keys.decode(user.key), tmp_path / "home")
    (tmp_path / "project").mkdir()
    return Bench(engine, tmp_path / "project", IMAGE, 300.0)


@pytest.fixture
def set_quota(api: Api) -> Callable[[int], None]:
    """Return a function that sets how many pods may run at a time."""

    def set_pods(pods: int) -> None:
        url = f"{_OBJECTS}/clusterqueues/{QUEUE}"
        api.patch(url, {"spec": {"resourceGroups": [_quota(pods)]}})

    return set_pods


def read(bench: Bench, number: int) -> SetStatus:
    return bench.engine.read(Id(number=number))


def evidence(bench: Bench, number: int) -> Evidence:
    assert isinstance(bench.engine, ArgoEngine)
    return bench.engine.evidence(Id(number=number))


def until(
    bench: Bench, number: int, condition: Callable[[SetStatus], bool], what: str
) -> SetStatus:
    wait_until(lambda: condition(read(bench, number)), 120, f"{number} {what}")
    return read(bench, number)


def is_queued(run: SetStatus) -> bool:
    jobs = run.experiments[0].jobs
    return all(job.reason == "QUEUED" for job in jobs) and bool(jobs)


def is_running(run: SetStatus) -> bool:
    return all(job.state is State.RUNNING for job in run.experiments[0].jobs)


def holds_quota(api: Api) -> list[str]:
    """Return the Workloads that hold quota."""
    names = []
    for workload in api.items(f"{_OBJECTS}/namespaces/{NAMESPACE}/workloads"):
        has_quota = conditions.is_true(workload, "QuotaReserved")
        if has_quota and not conditions.is_true(workload, "Finished"):
            names.append(workload["metadata"]["name"])
    return names


def test_two_gangs_with_room_for_one_run_one_after_the_other(
    queue: Bench, api: Api, set_quota: Callable[[int], None]
) -> None:
    set_quota(3)
    first = queue.train(f"{GANG}run: sleep 20").number
    until(queue, first, is_running, "to run")
    second = queue.train(f"{GANG}run: 'true'").number
    waiting = until(queue, second, is_queued, "to wait")
    experiment = waiting.experiments[0]
    text = f"queue {QUEUE}, position 1 of 1 of yours: 3 more pods needed"
    assert {job.message for job in experiment.jobs} == {text}
    assert (experiment.state, experiment.reason) == (State.PENDING, "QUEUED")
    (cause,) = explain(evidence(queue, second))
    assert "all 3 start together" in cause.explanation
    for number in (first, second):
        assert queue.wait(number).state is State.FINISHED
    # TensorBoard never needs quota, and parameter servers give theirs back.
    wait_until(lambda: not holds_quota(api), 60, "the quota")


def test_a_preempted_gang_is_queued_again_as_a_new_group(
    queue: Bench, set_quota: Callable[[int], None]
) -> None:
    set_quota(3)
    line = 'case "$RISEML_JOB $RISEML_ATTEMPT" in ps* | *0) sleep 300;; esac'
    first = queue.train(f"{GANG}retries: 1\nrun: '{line}'").number
    until(queue, first, is_running, "to run")
    second = queue.train(f"{GANG}priority: {PRIORITY}\nrun: sleep 10").number
    until(queue, second, is_running, "to overtake")
    again = until(queue, first, is_queued, "to wait again")
    assert {job.attempt for job in again.experiments[0].jobs} == {1}
    assert queue.wait(second).state is State.FINISHED
    assert queue.wait(first).state is State.FINISHED
    jobs = read(queue, first).experiments[0].jobs
    reasons = {job.attempts[0].reason for job in jobs}
    assert reasons == {"PREEMPTED", "PEER"}


def test_a_preempted_job_is_retried_for_that_cause(
    queue: Bench, set_quota: Callable[[int], None]
) -> None:
    set_quota(1)
    line = 'test "$RISEML_ATTEMPT" = 1 || sleep 300'
    retries = "retries: {count: 1, on: preempted}"
    first = queue.train(f"{retries}\nrun: '{line}'").number
    until(queue, first, is_running, "to run")
    second = queue.train(f"priority: {PRIORITY}\nrun: 'true'").number
    assert queue.wait(second).state is State.FINISHED
    assert queue.wait(first).state is State.FINISHED
    (job,) = read(queue, first).experiments[0].jobs
    assert [one.reason for one in job.attempts] == ["PREEMPTED", "COMPLETED"]


def test_a_grid_never_uses_more_than_its_quota(
    queue: Bench, set_quota: Callable[[int], None]
) -> None:
    set_quota(2)
    text = "parameters: {lr: [1, 2, 3, 4]}\nconcurrency: 4\nrun: sleep 6"
    number = queue.train(text).number
    most = 0
    for change in queue.engine.changes(Id(number=number)):
        assert isinstance(change, SetStatus)
        states = [experiment.state for experiment in change.experiments]
        most = max(most, states.count(State.RUNNING))
    assert (change.state, most) == (State.FINISHED, 2)


def test_a_queued_gang_can_be_killed(
    queue: Bench, api: Api, set_quota: Callable[[int], None]
) -> None:
    set_quota(2)
    number = queue.train(f"{GANG}run: sleep 300").number
    waiting = until(queue, number, is_queued, "to wait")
    assert "but the queue has 2 pods at all" in waiting.experiments[0].message
    (cause,) = explain(evidence(queue, number))
    assert "too small for it" in cause.explanation
    queue.engine.stop(Id(number=number))
    assert queue.wait(number).state is State.KILLED
    wait_until(lambda: not holds_quota(api), 60, "the quota")


def test_a_queue_that_does_not_exist_is_refused(queue: Bench) -> None:
    with pytest.raises(InvalidInputError, match=f"there are: {QUEUE}"):
        queue.train("queue: nihgt\nrun: 'true'")
