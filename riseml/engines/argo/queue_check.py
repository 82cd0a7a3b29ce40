"""Check of the queue that a riseml.yml names, before a run is submitted."""

from riseml.cluster.api import name_of
from riseml.cluster.user_namespace import UserNamespace
from riseml.errors import InvalidInputError, RiseMLError
from riseml.excerpts import listed
from riseml.plan import ExperimentSet
from riseml.queues import kueue

# Kinds of queues that a riseml.yml can name.
_NAMED = frozenset({"kueue", "volcano"})


def check(namespace: UserNamespace, plan: ExperimentSet) -> None:
    """Refuse a queue that the cluster does not have: its jobs would wait for ever.

    Raises:
        InvalidInputError: there is no such queue.
    """
    target = namespace.target
    if plan.queue and _NAMED.isdisjoint(target.queue):
        raise InvalidInputError(
            f"queue: this cluster has no queues, so '{plan.queue}' cannot be chosen",
            "Remove `queue` from riseml.yml. An administrator names the cluster's queue under `queue` in values.yml.",
        )
    settings = target.queue.get("kueue", {})
    name = plan.queue or settings.get("queue")
    if "kueue" not in target.queue or not name:
        return
    url = f"/apis/{kueue.VERSION}/namespaces/{namespace.namespace}/localqueues"
    try:
        names = sorted(map(name_of, namespace.api.items(url)))
    except RiseMLError:
        # Older versions of Kueue serve others. It will say so itself.
        return
    if name not in names:
        raise InvalidInputError(
            f"queue: there is no queue '{name}' in {namespace.namespace}; there are: {listed(names)}",
            "Name another one, or let an administrator create a LocalQueue there.",
        )
