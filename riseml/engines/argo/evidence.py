"""What the cluster knows around a run: its pods, events about them, and claims of the namespace."""

from collections.abc import Sequence
from typing import Any

from riseml import labels
from riseml.cluster.api import Api, Object, path
from riseml.diagnosis.evidence import Evidence
from riseml.errors import RiseMLError
from riseml.status import ExperimentStatus, JobStatus, SetStatus


def gather(
    api: Api,
    namespace: str,
    documents: Sequence[Object],
    whole: SetStatus,
    part: SetStatus | ExperimentStatus | JobStatus,
) -> Evidence:
    """Return it; what the user may not see is left out."""
    names = ",".join(each["metadata"]["name"] for each in documents)
    pods = (
        _items(api, namespace, "pods", labelSelector=f"{labels.WORKFLOW} in ({names})")
        if documents
        else []
    )
    return Evidence(
        run=whole,
        subject=part,
        has_cluster=True,
        documents=documents,
        pods=pods,
        events=_items(api, namespace, "events", fieldSelector="type=Warning")
        if pods
        else [],
        claims=_items(api, namespace, "persistentvolumeclaims"),
    )


def _items(api: Api, namespace: str, kind: str, **query: Any) -> list[Object]:
    try:
        return list(api.items(path(kind, namespace), **query))
    except RiseMLError:
        return []
