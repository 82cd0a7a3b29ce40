"""A user's namespace on the cluster of KUBECONFIG, for the contract tests."""

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

from riseml.cluster import SETTINGS, STORE
from riseml.cluster.api import Api, path
from riseml.cluster.connection import Connection, from_kubeconfig
from riseml.cluster.store import is_ready
from riseml.engines.argo.engine import ArgoEngine
from tests.cluster.place import IMAGE, Place, wait_until

__all__ = ["IMAGE", "engine"]

NAMESPACE = "riseml-contract"
_TARGET = {"git_image": IMAGE}
_VOLUMES = ("store", "output", "data")


def engine(home: Path, namespace: str = NAMESPACE) -> ArgoEngine:
    """Return an engine over a namespace, which is made when it is first needed."""
    return ArgoEngine(_connection(namespace), home)


@cache
def _connection(namespace: str) -> Connection:
    connection = replace(from_kubeconfig(), namespace=namespace, user=namespace.removeprefix("riseml-"))
    Place(namespace)
    api = Api(connection)
    settings = {"number": "0", "target": json.dumps(_TARGET)}
    for kind, name, body in (
        ("ConfigMap", SETTINGS, {"data": settings}),
        ("ConfigMap", "riseml-images", {}),
        ("Secret", "riseml-secrets", {}),
    ):
        whole = {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, **body}
        api.ensure(path(f"{kind.lower()}s", namespace), whole)
    api.ensure(path("deployments", namespace), _store())
    pods = path("pods", namespace)
    wait_until(lambda: any(map(is_ready, api.items(pods, labelSelector=f"app={STORE}"))), 60, "the store")
    return connection


def _store() -> dict[str, object]:
    mounts = [{"name": each, "mountPath": f"/{each}"} for each in _VOLUMES]
    container = {"name": "store", "image": IMAGE, "command": ["sleep", "infinity"], "volumeMounts": mounts}
    spec = {
        "containers": [container],
        "volumes": [{"name": each, "persistentVolumeClaim": {"claimName": f"riseml-{each}"}} for each in _VOLUMES],
        "terminationGracePeriodSeconds": 0,
    }
    template = {"metadata": {"labels": {"app": STORE}}, "spec": spec}
    deployment = {"replicas": 1, "selector": {"matchLabels": {"app": STORE}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": STORE}, "spec": deployment}
