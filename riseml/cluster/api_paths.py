"""Paths of the Kubernetes API for the kinds that RiseML uses."""

from collections.abc import Mapping
from typing import Any

Object = dict[str, Any]

_CORE, _APPS, _RBAC = "/api/v1", "/apis/apps/v1", "/apis/rbac.authorization.k8s.io/v1"
_KINDS_BY_GROUP: Mapping[str, tuple[str, ...]] = {
    _CORE: (
        "pods",
        "secrets",
        "configmaps",
        "services",
        "serviceaccounts",
        "persistentvolumeclaims",
        "events",
        "resourcequotas",
        "limitranges",
        "namespaces",
        "nodes",
        "persistentvolumes",
    ),
    _APPS: ("deployments", "daemonsets"),
    "/apis/batch/v1": ("jobs",),
    "/apis/networking.k8s.io/v1": ("networkpolicies",),
    "/apis/argoproj.io/v1alpha1": ("workflows", "workflowtaskresults"),
    _RBAC: ("roles", "rolebindings", "clusterroles", "clusterrolebindings"),
    "/apis/storage.k8s.io/v1": ("storageclasses",),
}
_GROUPS = {
    plural: group for group, kinds in _KINDS_BY_GROUP.items() for plural in kinds
}
_CLUSTER_KINDS = frozenset({
    "Namespace", "PersistentVolume", "ClusterRole", "ClusterRoleBinding", "StorageClass", "PriorityClass",
    "CustomResourceDefinition", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding",
})  # fmt: skip


def path(plural: str, namespace: str | None = None, name: str | None = None) -> str:
    """Return the path of the objects of a kind, or of the one called `name`.

    Without `namespace`, it is the path of the objects of all namespaces.
    """
    parts = [_GROUPS[plural]]
    if namespace:
        parts += ["namespaces", namespace]
    parts.append(plural)
    if name:
        parts.append(name)
    return "/".join(parts)


def path_of(body: Mapping[str, Any], namespace: str | None = None) -> str:
    """Return the path of the object that `body` describes.

    `namespace` is used for an object that names no namespace of its own.
    """
    kind, version, metadata = body["kind"], body["apiVersion"], body["metadata"]
    namespace = metadata.get("namespace", namespace)
    # The core group has a version, but no name.
    parts = ["/apis" if "/" in version else "/api", version]
    if namespace and is_namespaced(kind):
        parts += ["namespaces", namespace]
    parts += [plural(kind), metadata["name"]]
    return "/".join(parts)


def name_of(body: Mapping[str, Any]) -> str:
    """Return the name of an object."""
    return str(body["metadata"]["name"])


def plural(kind: str) -> str:
    """Return the name of the objects of a kind in paths."""
    name = kind.lower()
    if name.endswith("y"):
        return f"{name.removesuffix('y')}ies"
    if name.endswith("s"):
        return f"{name}es"
    return f"{name}s"


def is_namespaced(kind: str) -> bool:
    """Return whether objects of a kind belong to namespaces."""
    return kind not in _CLUSTER_KINDS
