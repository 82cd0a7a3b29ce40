"""Checks of what all users of a cluster share; administrators see most of it."""

from collections.abc import Iterable, Mapping, Sequence

from riseml import conditions
from riseml.cluster import SYSTEM, installation, namespace_objects
from riseml.cluster.api import Api, Object, path, path_of
from riseml.doctor.check_context import CheckContext, HasTarget, for_administrators
from riseml.doctor.findings import Check, Outcome, checks, failed, ok, skipped, warning
from riseml.errors import NotFoundError

_OLDEST_ARGO = (4, 0)


def all_checks(context: CheckContext) -> list[Check]:
    """Return the checks; without Argo's custom resources no further check helps."""
    return checks(
        context, deployments, policies, ready_nodes, _version, _argo, gates=[_argo]
    )


@for_administrators
def deployments(context: HasTarget) -> Outcome:
    """The Deployments of RiseML."""
    namespace = context.api.find(path("namespaces", None, SYSTEM))
    if namespace is None:
        return failed(
            f"there is no namespace {SYSTEM}",
            "An administrator runs `riseml system install`.",
        )
    late = installation.not_ready(context.api)
    if late:
        return failed(
            f"not ready: {', '.join(late)}",
            f"`kubectl -n {SYSTEM} describe pods` shows the reason.",
        )
    return ok(f"the Deployments of {SYSTEM} are ready")


@for_administrators
def policies(context: HasTarget) -> Outcome:
    """The policies for users' pods and Workflows."""
    missing, different, total = [], [], 0
    for policy in namespace_objects.read(namespace_objects.POLICY):
        if policy["kind"] != "ValidatingAdmissionPolicy":
            continue
        total += 1
        installed = context.api.find(path_of(policy))
        if installed is None:
            missing.append(policy["metadata"]["name"])
        elif _rules(installed) != _rules(policy):
            different.append(policy["metadata"]["name"])
    if missing:
        return failed(
            f"missing: {', '.join(missing)}",
            "`riseml system upgrade` restores them; until then, users are not isolated from each other.",
        )
    if different:
        return warning(
            f"different from those of this version: {', '.join(different)}",
            "`riseml system upgrade` updates them; until then, jobs may be rejected or have too many rights.",
        )
    return ok(f"all {total} exist")


def _rules(policy: Object) -> list[str]:
    # The API server adds defaults to other fields.
    rules = policy.get("spec", {}).get("validations", ())
    return [str(rule["expression"]) for rule in rules]


@for_administrators
def ready_nodes(context: HasTarget) -> Outcome:
    """Nodes and their GPUs."""
    resource = context.target_or_default.gpu_resource
    nodes = list(context.api.items(path("nodes")))
    ready = [node for node in nodes if _takes_pods(node)]
    if not ready:
        return failed("no node is ready", "`kubectl get nodes` lists them.")
    gpus = 0
    for node in ready:
        gpus += int(node["status"].get("allocatable", {}).get(resource, 0))
    detail = f"{len(ready)} of {len(nodes)} ready, {gpus} of {resource}"
    if len(ready) < len(nodes):
        return warning(detail, "`kubectl get nodes` shows which are not ready.")
    selector = context.target_or_default.node_selector
    if not any(_has_labels(node, selector) for node in ready):
        labels = ", ".join(map("=".join, selector.items()))
        return failed(
            f"{detail}; no ready node has {labels}, which `nodeSelectors.training` of the values names",
            "Correct values.yml, or label nodes (`kubectl label node`); until then, jobs wait.",
        )
    missing = _missing_shares(context, ready)
    if missing:
        return warning(
            f"{detail}; no node has {missing}, which `gpu.fractions` of the values names",
            "Correct values.yml, or configure the device plugin; until then, jobs with parts of a GPU wait.",
        )
    return ok(detail)


def _has_labels(node: Object, selector: Mapping[str, str]) -> bool:
    labels: Mapping[str, str] = node["metadata"].get("labels", {})
    return selector.items() <= labels.items()


def _missing_shares(context: HasTarget, nodes: Sequence[Object]) -> str:
    """Return the resources that stand for parts of a GPU and that no node has."""
    names: set[str] = set()
    for amounts in context.target_or_default.gpu_fractions.values():
        names.update(amounts)
    for node in nodes:
        # A device plugin without devices leaves zeros.
        for name, amount in node["status"].get("allocatable", {}).items():
            if str(amount) != "0":
                names.discard(name)
    return ", ".join(sorted(names))


def missing_secrets(api: Api, namespace: str, names: Iterable[str]) -> list[str]:
    """Return those of the names that no Secret of a namespace has."""
    missing = []
    for name in names:
        if api.find(path("secrets", namespace, name)) is None:
            missing.append(name)
    return missing


def _takes_pods(node: Object) -> bool:
    if node["spec"].get("unschedulable"):
        return False
    return conditions.is_true(node, "Ready")


@for_administrators
def _version(context: CheckContext) -> Outcome:
    """The version of Argo."""
    from riseml.cluster.overview import versions  # noqa: PLC0415

    version = versions(context.api).argo
    # Some installations run the controller from an image without a version tag.
    if not version:
        return skipped("no Deployment names the controller's version")
    major_minor = tuple(map(int, version.split(".")[:2]))
    if major_minor < _OLDEST_ARGO:
        return warning(f"Argo {version}", "RiseML is tested with Argo 4.1: upgrade it.")
    return ok(f"Argo {version}")


def _argo(context: CheckContext) -> Outcome:
    """Argo's custom resources."""
    try:
        context.items("workflows", metadata=True, limit=1)
    except NotFoundError:
        return failed(
            "the cluster does not know Workflows",
            "An administrator installs Argo Workflows 4.1 with its CRDs.",
        )
    return ok("the cluster knows Workflows")
