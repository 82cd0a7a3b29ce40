"""Plan of an installation, as `riseml system install` shows it before anything changes.

requirements   findings about Kubernetes, rights, Argo, storage and nodes
detected        values that are taken from the cluster
steps          objects that are created or changed, or that the cluster refuses
users          users whose namespaces need an update afterwards
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, TypedDict

from riseml.cli import finding_lines, formats, output, terminal
from riseml.cli.documents import Document
from riseml.cli.finding_lines import FindingRecord
from riseml.dataclass import dataclass, replace

if TYPE_CHECKING:
    from datetime import datetime

    from riseml.cluster.api import Api
    from riseml.cluster.installation import Step
    from riseml.cluster.values import Values
    from riseml.doctor import Finding

_SIGNS = {
    "created": "+",
    "changed": "~",
    "removed": "-",
    "unchanged": " ",
    "refused": "x",
}
# Titles of the checks that decide whether RiseML can be installed, and whether runs start.
KUBERNETES_CHECK = "The version of Kubernetes"
ARGO_CHECKS = ("Argo's custom resources", "Argo's controller")
# More would wrap the line of an object.
_MAX_FIELDS = 5


class StepRecord(TypedDict):
    """An object of an installation, and what installing does to it."""

    object: str
    """Its kind, namespace and name."""
    outcome: str
    """created, changed, unchanged, removed, or refused."""
    fields: list[str]
    """What changes."""
    reason: str
    """Why the cluster refuses it; empty otherwise."""


class PlanRecord(TypedDict):
    """A plan of an installation, and whether it is possible."""

    possible: bool
    """Whether everything that installing needs is there and allowed."""
    requirements: list[FindingRecord]
    detected: list[str]
    """Values that are taken from the cluster."""
    steps: list[StepRecord]
    users: list[str]
    """Users whose namespaces are updated afterwards."""


DOCUMENTS = {"system-check": Document(PlanRecord)}


@dataclass(frozen=True)
class InstallationPlan:
    """What installing would do to a cluster, and what it lacks."""

    values: "Values"
    requirements: "Sequence[Finding]"
    detected: Sequence[str]
    steps: "Sequence[Step]"
    users: Sequence[str]

    @property
    def refused(self) -> "list[Step]":
        """The steps that the cluster does not accept, or not from this user."""
        return [step for step in self.steps if step.outcome == "refused"]

    @property
    def failures(self) -> "list[Finding]":
        """The requirements that are not met."""
        return [item for item in self.requirements if item.result == "failed"]

    @property
    def changes(self) -> int:
        """The number of objects that change."""
        return sum(step.is_change for step in self.steps)


def make(api: "Api", values: "Values", now: "datetime") -> InstallationPlan:
    """Return the plan; nothing changes.

    Raises:
        InvalidInputError: Argo's ConfigMap has a format that RiseML cannot change.
        NotAuthenticatedError: the cluster does not accept the login.
        UnreachableError: the cluster does not answer.
    """
    from riseml import doctor
    from riseml.cluster import detected_values, installation, user_versions
    from riseml.cluster.api_errors import NotAuthenticatedError
    from riseml.cluster.argo_controllers import controllers
    from riseml.doctor import prerequisites
    from riseml.doctor.cluster_context import ClusterContext
    from riseml.errors import NotAllowedError

    users: list[str] = []
    try:
        values, sentences = detected_values.detect(values, controllers(api))
    except NotAuthenticatedError:
        raise
    except NotAllowedError:
        # The findings say which rights are missing.
        sentences = []
    context = ClusterContext(api, values, now)
    requirements = list(doctor.run(prerequisites.all_checks(context)))
    steps = installation.plan(api, values, now)
    with suppress(NotAllowedError):
        users = user_versions.outdated(api, values.offer())
    return InstallationPlan(values, requirements, sentences, steps, users)


def show(plan: InstallationPlan, *, with_all: bool) -> None:
    """Print a plan; without `with_all`, only Argo and the requirements that are not met."""
    screen = terminal.stdout()
    for finding in plan.requirements:
        if with_all or finding.fix or finding.title in ARGO_CHECKS:
            output.write(finding_lines.text(finding, screen))
    output.lines(map("~ {}".format, plan.detected))
    output.lines(map(_describe, plan.steps))
    if plan.users:
        output.say(f"~ users updated afterwards: {', '.join(plan.users)}")


def summary(plan: InstallationPlan, server: str) -> str:
    """Return how many objects change, and what stands against it."""
    text = f"{plan.changes} of {len(plan.steps)} objects on {server} change."
    if plan.refused:
        text += f" The cluster refuses {len(plan.refused)}."
    if plan.failures:
        titles = ", ".join(finding.title for finding in plan.failures)
        text += f" Not as needed: {titles}."
    return text


def write_data(plan: InstallationPlan, output_format: str) -> None:
    """Print a plan as data."""
    record: PlanRecord = {
        "possible": not plan.refused and not plan.failures,
        "requirements": list(map(finding_lines.record, plan.requirements)),
        "detected": list(plan.detected),
        "steps": list(map(_record, plan.steps)),
        "users": list(plan.users),
    }
    data = formats.of_records(record["steps"], StepRecord, "object")
    formats.write_data(replace(data, records=record), output_format)


def _describe(step: "Step") -> str:
    text = f"{_SIGNS[step.outcome]} {step.name} {step.outcome}"
    if step.reason:
        return f"{text}: {step.reason}"
    if not step.fields:
        return text
    fields = ", ".join(step.fields[:_MAX_FIELDS])
    if len(step.fields) > _MAX_FIELDS:
        fields += ", …"
    return f"{text} ({fields})"


def _record(step: "Step") -> StepRecord:
    return {
        "object": step.name,
        "outcome": step.outcome,
        "fields": list(step.fields),
        "reason": step.reason,
    }
