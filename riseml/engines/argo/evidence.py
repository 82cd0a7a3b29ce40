"""Evidence that a cluster has about a run: its pods, warnings about them, and volume claims."""

from collections.abc import Sequence
from typing import Any

from riseml.cluster.api import Api, Object, name_of, path
from riseml.diagnosis.evidence import PREEMPTED, Evidence
from riseml.engines.argo.workflows import pod_selector
from riseml.errors import RiseMLError
from riseml.status import ExperimentStatus, JobStatus, SetStatus, State


def gather(
    api: Api,
    namespace: str,
    documents: Sequence[Object],
    run: SetStatus,
    subject: SetStatus | ExperimentStatus | JobStatus,
) -> Evidence:
    """Return what explains the state of the subject, without what the user may not see."""
    pods: list[Object] = []
    if documents:
        selector = pod_selector(map(name_of, documents))
        pods = _items(api, namespace, "pods", labelSelector=selector)
    events: list[Object] = []
    if pods:
        events = _items(api, namespace, "events", fieldSelector="type=Warning")
    if subject.state is not State.FINISHED:
        # The pod of such an event may be gone.
        selector = f"reason={PREEMPTED}"
        events += _items(api, namespace, "events", fieldSelector=selector)
    return Evidence(
        run=run,
        subject=subject,
        has_cluster=True,
        documents=documents,
        pods=pods,
        events=events,
        claims=_items(api, namespace, "persistentvolumeclaims"),
    )


def _items(api: Api, namespace: str, kind: str, **query: Any) -> list[Object]:
    try:
        return list(api.items(path(kind, namespace), **query))
    except RiseMLError:
        # A diagnosis with less evidence is better than none.
        return []
