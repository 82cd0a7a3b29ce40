"""Cases on a real Argo, several at a time."""

import copy
import sys
import time
from collections.abc import Mapping
from typing import Any

from kubernetes import client, config
from kubernetes.client.exceptions import ApiException

from tests.comparison import results
from tests.comparison.case import Case, Data
from tests.comparison.results import Result

_WORKFLOWS = ("argoproj.io", "v1alpha1")
_CONCURRENCY = 12
_PATIENCE_SECONDS = 240.0
_POLL_SECONDS = 2.0


class ArgoNamespace:
    """Namespace in which Workflows run; `leave` deletes it."""

    def __init__(self, name: str) -> None:
        config.load_kube_config()
        self.name = name
        self._core: Any = client.CoreV1Api()
        self._objects: Any = client.CustomObjectsApi()
        # The cases by the names of their Workflows.
        self._cases: dict[str, str] = {}
        self._prepare(client.RbacAuthorizationV1Api())

    def _prepare(self, rights: Any) -> None:
        _ensure(self._core.create_namespace, {"metadata": {"name": self.name}})
        rules = [
            {
                "apiGroups": ["argoproj.io"],
                "resources": ["workflowtaskresults"],
                "verbs": ["create", "patch"],
            },
            {"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "delete"]},
        ]
        metadata = {"name": "job"}
        role = {"metadata": metadata, "rules": rules}
        _ensure(rights.create_namespaced_role, self.name, role)
        binding = {
            "metadata": metadata,
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "Role",
                "name": "job",
            },
            "subjects": [
                {"kind": "ServiceAccount", "name": "default", "namespace": self.name}
            ],
        }
        _ensure(rights.create_namespaced_role_binding, self.name, binding)

    def leave(self) -> None:
        """Delete the namespace and everything in it."""
        self._core.delete_namespace(self.name)

    def run(self, cases: Mapping[str, Case]) -> dict[str, Result]:
        """Run Workflows to their ends; return the result of each by its name."""
        remaining = dict(cases)
        self._to_stop = {name for name, case in cases.items() if case.stop}
        active: dict[str, float] = {}
        ended: dict[str, Result] = {}
        while remaining or active:
            while remaining and len(active) < _CONCURRENCY:
                name = next(iter(remaining))
                fault = self._create(name, remaining.pop(name).document)
                if fault:
                    ended[name] = results.refusal(fault)
                else:
                    active[name] = time.monotonic()
            if active:
                time.sleep(_POLL_SECONDS)
                ended.update(self._collect(active))
        return {name: ended[name] for name in cases}

    def _create(self, name: str, document: Data) -> str:
        """Create a Workflow; return the message with which the API server refuses it."""
        body = copy.deepcopy(document)
        if isinstance(body.get("metadata"), dict):
            self._cases[body["metadata"].setdefault("name", name)] = name
        create = self._objects.create_namespaced_custom_object
        for attempt in range(5):
            try:
                create(*_WORKFLOWS, self.name, "workflows", body)
            except ApiException as error:
                if error.status in (400, 422):
                    return _message(error)
                if attempt == 4:
                    raise
                time.sleep(2)
            else:
                break
        return ""

    def _collect(self, active: dict[str, float]) -> dict[str, Result]:
        """Return the results of Workflows that have ended, and delete them."""
        listing = self._objects.list_namespaced_custom_object(
            *_WORKFLOWS, self.name, "workflows"
        )
        ended = {}
        for document in listing["items"]:
            name = document["metadata"]["name"]
            case = self._cases.get(name, name)
            if case not in active:
                continue
            if case in self._to_stop and _runs_pod(document):
                self._to_stop.discard(case)
                self._stop(name)
            if time.monotonic() - active[case] > _PATIENCE_SECONDS:
                sys.stderr.write(f"{name} does not end\n")
                status = document.setdefault("status", {})
                status.setdefault("phase", "none")
                status["finishedAt"] = "never"
            if _has_ended(document):
                ended[case] = results.of_document(document)
                del active[case]
                self._delete(name)
        return ended

    def _stop(self, name: str) -> None:
        patch = self._objects.patch_namespaced_custom_object
        body = {"spec": {"shutdown": "Terminate"}}
        patch(*_WORKFLOWS, self.name, "workflows", name, body)

    def _delete(self, name: str) -> None:
        delete = self._objects.delete_namespaced_custom_object
        delete(*_WORKFLOWS, self.name, "workflows", name)


def _runs_pod(document: Data) -> bool:
    nodes = (document.get("status") or {}).get("nodes") or {}
    return any(
        node["type"] == "Pod" and node["phase"] == "Running" for node in nodes.values()
    )


def _has_ended(document: Data) -> bool:
    if not (document.get("status") or {}).get("finishedAt"):
        return False
    if document["status"]["finishedAt"] == "never":
        return True
    # Argo marks a Workflow after all of its results have arrived.
    labels = document["metadata"].get("labels") or {}
    return labels.get("workflows.argoproj.io/completed") == "true"


def _message(error: ApiException) -> str:
    import json  # noqa: PLC0415

    message: str = json.loads(error.body or "{}")["message"]
    return message


def _ensure(create: Any, *arguments: Any) -> None:
    try:
        create(*arguments)
    except ApiException as error:
        if error.status != 409:
            raise
