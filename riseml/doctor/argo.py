"""Checks of the Argo Workflows on a cluster, whoever installed it."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from riseml import labels
from riseml.cluster.api import Object, path
from riseml.cluster.argo_controllers import ArgoController, are_custom_resources_known
from riseml.cluster.detected_values import detect
from riseml.doctor.check_context import for_administrators
from riseml.doctor.cluster_context import ClusterContext
from riseml.doctor.findings import Outcome, failed, ok, skipped, warning
from riseml.excerpts import listed
from riseml.status.document import inner

_OLDEST_MAJOR_VERSION = 4
# A healthy controller writes a Workflow's phase much sooner.
CONTROLLER_DELAY = timedelta(seconds=20)
_MAX_WORKFLOWS = 500
# Defaults of Workflows that would end or change runs.
_INTRUSIVE_DEFAULTS = frozenset({
    "activeDeadlineSeconds", "hooks", "onExit", "parallelism", "podSpecPatch", "retryStrategy", "suspend",
    "synchronization", "templateDefaults", "volumeClaimTemplates",
})  # fmt: skip
_REPOSITORIES = frozenset({
    "artifactory", "azure", "gcs", "hdfs", "oss", "plugin", "s3",
})  # fmt: skip
_STRICT = frozenset({"Strict", "Secure"})
_OTHER_CONTROLLER = "or install a second controller with an instance id."


@for_administrators
def watching_controller(context: ClusterContext) -> Outcome:
    """Argo's controller."""
    if not context.controllers:
        return _without_deployment(context)
    text = "; ".join(item.description for item in context.controllers)
    if not context.watching:
        return failed(text, _watch_all(context.controllers[0]))
    if not context.serving:
        return _other_instance(context, text)
    controller = context.serving[0]
    if not controller.is_ready:
        return failed(
            f"{text}; it has no ready pod",
            f"`kubectl -n {controller.namespace} describe deployment {controller.name}` shows the reason.",
        )
    major_version = controller.version.partition(".")[0]
    if major_version.isdecimal() and int(major_version) < _OLDEST_MAJOR_VERSION:
        return warning(text, "RiseML is tested with Argo 4.1: upgrade it.")
    return ok(text)


@for_administrators
def settings(context: ClusterContext) -> Outcome:
    """The settings of Argo's controller."""
    if not context.serving:
        return skipped("no Deployment of a controller processes RiseML's runs")
    controller = context.serving[0]
    content = controller.settings
    name = f"{controller.namespace}/{controller.config_map}"
    restrictions = inner(content, "workflowRestrictions")
    if restrictions.get("templateReferencing") in _STRICT:
        return failed(
            f"{name} accepts only Workflows that refer to a WorkflowTemplate (workflowRestrictions)",
            f"Remove workflowRestrictions there, {_OTHER_CONTROLLER}",
        )
    if inner(content, "initlessPod").get("enabled"):
        return failed(
            f"{name} enables initlessPod: the policies for users' pods reject its container",
            f"Disable initlessPod, {_OTHER_CONTROLLER}",
        )
    defaults = inner(content, "workflowDefaults", "spec")
    intrusive = _INTRUSIVE_DEFAULTS.intersection(defaults)
    if intrusive:
        return warning(
            f"{name} sets {listed(sorted(intrusive))} for all Workflows (workflowDefaults), and so for runs",
            f"Remove these defaults, {_OTHER_CONTROLLER}",
        )
    return ok(f"{name}: {_summary(content)}")


def _watch_all(controller: ArgoController) -> str:
    return (
        f"Users have namespaces of their own: remove --namespaced from the Deployment {controller.name}, and give its"
        f" account the ClusterRole `argo-cluster-role` of Argo's install.yaml; {_OTHER_CONTROLLER}"
    )


def _other_instance(context: ClusterContext, text: str) -> Outcome:
    """Return the outcome where no controller has the instance id of the runs."""
    runs = f"the instance id {context.instance}" if context.instance else "none"
    detail = f"{text}; RiseML's runs have {runs}"
    values, sentences = detect(context.values, context.controllers)
    if sentences:
        instance = values["argo"]["instanceId"]
        return failed(
            detail, f"`riseml system upgrade` sets `argo.instanceId` to {instance}."
        )
    ids = {controller.instance for controller in context.watching}
    return failed(
        detail,
        f"Set `argo: {{instanceId: ID}}` in values.yml (there is {listed(sorted(ids))}), and run"
        " `riseml system upgrade -f values.yml`.",
    )


def _without_deployment(context: ClusterContext) -> Outcome:
    """Look for a Workflow that shows whether a controller runs elsewhere."""
    if not are_custom_resources_known(context.api):
        return skipped("the cluster does not know Workflows")
    workflows = _telling_workflows(context)
    if not workflows:
        return warning(
            "no Deployment runs it, and no Workflow shows whether it runs elsewhere",
            "Install Argo's controller, unless it runs elsewhere: the first run of a user shows that.",
        )
    metadata = workflows[-1]["metadata"]
    name = f"{metadata['namespace']}/{metadata['name']}"
    if has_phase(workflows[-1]):
        return ok(f"it is not a Deployment, but it processes {name}")
    seconds = int((context.now - creation_time(workflows[-1])).total_seconds())
    return failed(
        f"there is none, and {name} has waited {seconds} seconds for it",
        "Install Argo's controller, or start it.",
    )


def _telling_workflows(context: ClusterContext) -> list[Object]:
    """Return Workflows that a controller has processed, or should have; the newest last."""
    selector = f"!{labels.INSTANCE}"
    if context.instance:
        selector = f"{labels.INSTANCE}={context.instance}"
    items = context.api.items(
        path("workflows"), metadata=True, labelSelector=selector, limit=_MAX_WORKFLOWS
    )
    latest = context.now - CONTROLLER_DELAY
    workflows = []
    for body in sorted(items, key=creation_time):
        if has_phase(body) or creation_time(body) < latest:
            workflows.append(body)
    return workflows


def has_phase(body: Object) -> bool:
    """Return whether a controller has seen a Workflow."""
    return labels.PHASE in body["metadata"].get("labels", {})


def creation_time(body: Object) -> datetime:
    """Return when an object was created."""
    return datetime.fromisoformat(body["metadata"]["creationTimestamp"])


def _summary(content: Mapping[str, Any]) -> str:
    """Return what a controller's settings say, for people."""
    repositories = _REPOSITORIES.intersection(inner(content, "artifactRepository"))
    archive = inner(content, "persistence").get("archive", False)
    defaults = inner(content, "workflowDefaults", "spec")
    parts = [
        f"artifact repository: {listed(sorted(repositories))}",
        f"archive: {str(archive).lower()}",
        f"workflow defaults: {listed(sorted(defaults))}",
        f"parallelism: {content.get('parallelism', 'no limit')}",
    ]
    return "; ".join(parts)
