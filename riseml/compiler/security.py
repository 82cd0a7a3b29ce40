"""Security contexts of pods, as the cluster's administrator sets them."""

from collections.abc import Iterator
from typing import Any

from riseml.plan import Target

_TMP = "tmp"
_TMP_MOUNT = {"name": _TMP, "mountPath": "/tmp"}  # noqa: S108 - a volume of the pod alone


def apply(document: dict[str, Any], target: Target) -> None:
    """Set the security contexts of a Workflow and of its containers.

    Containers whose root is read-only get a folder /tmp.
    """
    spec, context = document["spec"], dict(target.container_security)
    if target.pod_security:
        spec["securityContext"] = dict(target.pod_security)
    if not context:
        return
    is_read_only = context.get("readOnlyRootFilesystem", False)
    if is_read_only:
        spec["volumes"].append({"name": _TMP, "emptyDir": {}})
    for container in _containers(spec["templates"]):
        container["securityContext"] = context
        if is_read_only:
            container.setdefault("volumeMounts", []).append(_TMP_MOUNT)


def _containers(templates: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for template in templates:
        if "container" in template:
            yield template["container"]
        yield from template.get("initContainers", ())
        yield from template.get("sidecars", ())
