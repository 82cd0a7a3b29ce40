"""Submission to a cluster with a queue: what is refused, and what is created beside the Workflow."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from riseml.cluster.user_namespace import UserNamespace
from riseml.engines.argo import pod_groups, queue_check
from riseml.errors import InvalidInputError, NotFoundError
from riseml.plan import Experiment, Job, Resources, Target
from tests.unit.plans import compiled, grid, single

KUEUE = {"kueue": {"queue": "research"}}
GANG = (Job("worker", ("true",), Resources(), count=3),)


class Cluster:
    """API server that remembers what it is given."""

    def __init__(self, *queues: str, is_old: bool = False) -> None:
        self.queues, self.is_old = queues, is_old
        self.created: list[tuple[str, Any]] = []
        self.patched: dict[str, Any] = {}

    def items(self, at: str, **_: Any) -> list[Any]:
        if self.is_old:
            raise NotFoundError(at)
        assert at == "/apis/kueue.x-k8s.io/v1beta2/namespaces/riseml-me/localqueues"
        return [{"metadata": {"name": name}} for name in self.queues]

    def ensure(self, at: str, body: Any) -> None:
        self.created.append((at, body))

    def get(self, at: str) -> Any:
        assert at.endswith("/workflows/mnist-14")
        return {"metadata": {"name": "mnist-14", "uid": "u1"}}

    def patch(self, at: str, body: Any) -> None:
        self.patched[at] = body


def check(cluster: Cluster, queue: str, of_cluster: dict[str, dict[str, str]]) -> None:
    target = Target(queue=of_cluster)
    namespace = SimpleNamespace(api=cluster, namespace="riseml-me", target=target)
    queue_check.check(cast(UserNamespace, namespace), single(queue=queue))


def test_a_queue_that_exists_is_accepted() -> None:
    check(Cluster("research", "night"), "night", KUEUE)
    check(Cluster("research"), "", KUEUE)
    check(Cluster(), "", {})
    check(Cluster(is_old=True), "night", KUEUE)
    check(Cluster(), "night", {"volcano": {}})


@pytest.mark.parametrize(
    ("queue", "of_cluster", "message"),
    [
        ("nihgt", KUEUE, "there is no queue 'nihgt' in riseml-me; there are: a, b"),
        ("", KUEUE, "there is no queue 'research' in riseml-me; there are: a, b"),
        ("night", {}, "this cluster has no queues, so 'night' cannot be chosen"),
        ("night", {"coscheduling": {}}, "this cluster has no queues"),
    ],
)
def test_a_queue_that_does_not_exist_is_refused(
    queue: str, of_cluster: dict[str, dict[str, str]], message: str
) -> None:
    with pytest.raises(InvalidInputError, match=message):
        check(Cluster("b", "a"), queue, of_cluster)


def test_each_gang_has_a_pod_group_that_is_deleted_with_its_workflow() -> None:
    plan = grid({"lr": "1"}, {"lr": "2"}, jobs=GANG, queue="night")
    cluster, target = Cluster(), Target(queue={"volcano": {}})
    namespace = SimpleNamespace(api=cluster, namespace="riseml-me", target=target)
    document = compiled(plan, target=target)
    groups = pod_groups.make(cast(UserNamespace, namespace), plan, [document])
    folder = "/apis/scheduling.volcano.sh/v1beta1/namespaces/riseml-me/podgroups"
    assert [at for at, _ in cluster.created] == [folder, folder]
    bodies = [body for _, body in cluster.created]
    assert [body["metadata"]["name"] for body in bodies] == ["mnist-14-1", "mnist-14-2"]
    assert bodies[0]["spec"] == {"minMember": 3, "queue": "night"}
    pod_groups.hand_over(cast(UserNamespace, namespace), groups)
    owners = cluster.patched[f"{folder}/mnist-14-2"]["metadata"]["ownerReferences"]
    assert [(owner["kind"], owner["uid"]) for owner in owners] == [("Workflow", "u1")]


@pytest.mark.parametrize("of_cluster", [{}, KUEUE])
def test_most_clusters_need_no_groups(of_cluster: dict[str, dict[str, str]]) -> None:
    cluster, target = Cluster(), Target(queue=of_cluster)
    namespace = SimpleNamespace(api=cluster, namespace="riseml-me", target=target)
    plan = single(jobs=GANG, experiments=(Experiment(1, {}),))
    document = compiled(plan, target=target)
    assert pod_groups.make(cast(UserNamespace, namespace), plan, [document]) == {}
    assert cluster.created == []
