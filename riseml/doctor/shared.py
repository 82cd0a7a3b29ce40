"""Checks of what all users of a cluster share; most of it only administrators may look at."""

from riseml.cluster import SYSTEM, installation, namespace_objects
from riseml.cluster.api import Object, path, path_of
from riseml.doctor.check_context import ADMIN, CheckContext
from riseml.doctor.findings import Check, Outcome, checks, failed, ok, skipped, warning
from riseml.errors import NotAllowedError, NotFoundError

_ARGO = (4, 0)


def everything(site: CheckContext) -> list[Check]:
    """Return the checks; without Argo's kinds of objects those of a namespace are in vain."""
    return checks(site, _system, _policies, _nodes, _version, _argo, gates=[_argo])


def _system(site: CheckContext) -> Outcome:
    """What all users share."""
    try:
        there = site.api.find(path("namespaces", None, SYSTEM))
        late = installation.not_ready(site.api) if there is not None else []
    except NotAllowedError:
        return skipped(ADMIN)
    if there is None:
        return failed(
            f"there is no namespace {SYSTEM}", "`riseml system install` makes it."
        )
    if late:
        return failed(
            f"not ready: {', '.join(late)}",
            f"`kubectl -n {SYSTEM} describe pods` says why.",
        )
    return ok(f"the Deployments of {SYSTEM} are ready")


def _policies(site: CheckContext) -> Outcome:
    """The rules for users' pods and Workflows."""
    wanted = [
        each
        for each in namespace_objects.read(namespace_objects.POLICY)
        if each["kind"] == "ValidatingAdmissionPolicy"
    ]
    try:
        there = {
            each["metadata"]["name"]: (each, site.api.find(path_of(each)))
            for each in wanted
        }
    except NotAllowedError:
        return skipped(ADMIN)
    if missing := [name for name, (_, found) in there.items() if found is None]:
        fix = "`riseml system upgrade` puts them back; users are not kept apart."
        return failed(f"missing: {', '.join(missing)}", fix)
    if others := [
        name
        for name, (each, found) in there.items()
        if found is not None and _rules(found) != _rules(each)
    ]:
        fix = "`riseml system upgrade` brings them in line; until then jobs may be refused, or be too free."
        return warning(f"not those of this version: {', '.join(others)}", fix)
    return ok(f"{len(wanted)} are there")


def _rules(policy: Object) -> list[str]:
    return [
        str(each["expression"])
        for each in policy.get("spec", {}).get("validations", ())
    ]


def _nodes(site: CheckContext) -> Outcome:
    """Nodes, and their GPUs."""
    resource = site.known.gpu_resource
    try:
        nodes = list(site.api.items(path("nodes")))
    except NotAllowedError:
        return skipped(ADMIN)
    ready = [
        each
        for each in nodes
        if _condition(each, "Ready") == "True" and not each["spec"].get("unschedulable")
    ]
    if not ready:
        return failed("no node is ready", "`kubectl get nodes` shows them.")
    gpus = sum(
        int(each["status"].get("allocatable", {}).get(resource, 0)) for each in ready
    )
    found = f"{len(ready)} of {len(nodes)} ready, {gpus} of {resource}"
    if len(ready) < len(nodes):
        return warning(found, "`kubectl get nodes` shows which are not.")
    return ok(found)


def _condition(node: Object, kind: str) -> str:
    return next(
        (
            str(each["status"])
            for each in node["status"].get("conditions", ())
            if each["type"] == kind
        ),
        "",
    )


def _version(site: CheckContext) -> Outcome:
    """The version of Argo."""
    from riseml.cluster.overview import versions  # noqa: PLC0415

    try:
        found = versions(site.api).argo
    except NotAllowedError:
        return skipped(ADMIN)
    if not found:
        return skipped("its controller is no Deployment that tells")
    if tuple(map(int, found.split(".")[:2])) < _ARGO:
        return warning(f"Argo {found}", "RiseML is tried with 4.1.")
    return ok(f"Argo {found}")


def _argo(site: CheckContext) -> Outcome:
    """Argo's kinds of objects."""
    try:
        site.items("workflows", metadata=True, limit=1)
    except NotFoundError:
        return failed(
            "the cluster knows no Workflows",
            "An administrator installs Argo Workflows 4.1, with its CRDs.",
        )
    return ok("the cluster knows Workflows")
