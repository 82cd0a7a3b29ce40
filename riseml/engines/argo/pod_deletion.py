"""Deletion of the pods of killed jobs, for good.

Argo makes a deleted pod again, with the same name and in the same attempt of the job, if
it had not noticed that the pod was running, or if the executor could not report the end
of the job.
"""

import time
from collections.abc import Mapping
from functools import partial
from typing import Any

from riseml.cluster.api import Api, Object, path
from riseml.engines.argo.pods import node_id_of
from riseml.engines.argo.workflows import pod_selector
from riseml.errors import RiseMLError
from riseml.status import document as doc
from riseml.status.outline import ENDED

GRACE_SECONDS = 1
"""The executor needs a moment to report the end of a job. Argo takes that report as final."""

_TERMINAL_PHASES = frozenset({"Succeeded", "Failed"})
# Argo's controller looks at a Workflow every ten seconds, less often under load.
_MOST_SECONDS = 60.0
_PAUSE_SECONDS = 0.7


class PodDeletion:
    """Pods of one Workflow that are deleted; `selectors` choose some by their labels."""

    def __init__(
        self, api: Api, namespace: str, workflow: str, *selectors: str
    ) -> None:
        self._api, self._namespace, self._workflow = api, namespace, workflow
        self._selector = pod_selector([workflow], *selectors)
        self._node_ids: dict[str, str] = {}
        self._deleted: set[str] = set()

    def running(self) -> list[Object]:
        """Return the pods that have not ended."""
        url_path = path("pods", self._namespace)
        pods = []
        for pod in self._api.items(url_path, labelSelector=self._selector):
            if pod["status"].get("phase") not in _TERMINAL_PHASES:
                pods.append(pod)
        return pods

    def delete(self, pod: Object) -> None:
        """Delete a pod at once."""
        metadata = pod["metadata"]
        self._deleted.add(metadata["uid"])
        url_path = path("pods", self._namespace, metadata["name"])
        self._api.delete(url_path, gracePeriodSeconds=GRACE_SECONDS)

    def add(self, pod: Object) -> None:
        """Have `complete` delete a pod, and those that Argo makes in its place."""
        self._node_ids[pod["metadata"]["name"]] = node_id_of(pod)

    def complete(self) -> None:
        """Delete pods until Argo has seen their end, and makes no others in their place.

        Pods that Argo does not call running within a minute are then deleted once.

        Raises:
            RiseMLError: a job still waits for a node, so that Argo makes its pod again.
        """
        limit = time.monotonic() + _MOST_SECONDS
        while self._node_ids:
            phases = self._phases()
            remaining = self._remaining()
            is_late = time.monotonic() > limit
            due = filter(partial(self._is_due, phases), remaining)
            for pod in remaining if is_late else due:
                self.delete(pod)
            if is_late and "Pending" in phases.values():
                raise RiseMLError(
                    "a job of it waits for a node, and Argo makes its pod again after each deletion",
                    "Kill it once it runs, or kill the whole run: Argo then starts nothing more.",
                )
            has_ended = ENDED.issuperset(phases.values()) and not remaining
            if is_late or has_ended:
                return
            time.sleep(_PAUSE_SECONDS)

    def _remaining(self) -> list[Object]:
        return [
            pod for pod in self.running() if pod["metadata"]["name"] in self._node_ids
        ]

    def _is_due(self, phases: Mapping[str, Any], pod: Object) -> bool:
        """Return whether Argo knows a pod as running, and so makes no other if it is deleted."""
        metadata = pod["metadata"]
        phase = phases.get(self._node_ids[metadata["name"]])
        return phase == "Running" and metadata["uid"] not in self._deleted

    def _phases(self) -> dict[str, Any]:
        """Return the phases of the nodes whose pods are deleted, by their ids."""
        url_path = path("workflows", self._namespace, self._workflow)
        document = self._api.find(url_path) or {}
        ids = set(self._node_ids.values())
        phases = {}
        for node in doc.nodes(document):
            node_id = doc.text(node.get("id"))
            if node_id in ids:
                phases[node_id] = node.get("phase")
        return phases
