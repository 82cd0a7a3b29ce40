"""Explanations for pods that the cluster did not admit: limits, policies, webhooks, rights, priority classes."""

import re

from riseml import phrases
from riseml.diagnosis.evidence import Cause, Evidence, Subject, cause
from riseml.plan import Resources
from riseml.quantities import number_text

_RIGHTS = re.compile(
    r"workflowtaskresults|is forbidden: User \"system:serviceaccount:\S+\" cannot"
)
_POLICY = re.compile(
    r"violates PodSecurity|ValidatingAdmissionPolicy|admission webhook .* denied"
)
_WEBHOOK = re.compile(r"failed calling webhook")
_PRIORITY = re.compile(r"no PriorityClass with name (?P<name>\S+) was found")
_RANGE = re.compile(
    r"(?P<rule>(?:maximum|minimum) \S+ usage per \w+ is \S+|\S+ max limit to request ratio per \w+ is \S+?)[,.](?:\s|$)"
)
# A LimitRange gives containers a default limit, which a request may exceed.
_DEFAULT = re.compile(
    r"must be less than or equal to (?P<resource>\S+) limit of (?P<limit>\S+)"
)
_NO_LIMIT = re.compile(r"failed quota: (?P<name>\S+): must specify (?P<fields>\S+)")
_LESS = "Request less under `resources` in riseml.yml, and train again."


def refusal(evidence: Evidence, subject: Subject) -> Cause | None:
    """Return why the cluster did not admit a pod, None if the message says nothing like that."""
    message = subject.message
    if _RIGHTS.search(message):
        return cause(
            subject,
            "Argo's executor lacks rights in the namespace",
            [message],
            f"An administrator can restore them: `riseml user update --username {evidence.run.user}`.",
            "`riseml doctor` shows which rights are missing.",
            kind="RIGHTS",
        )
    if _POLICY.search(message):
        return cause(
            subject,
            "the cluster's rules for pods reject it",
            [message],
            "The text above names the rule, for an administrator. RiseML's own pods comply with the level `baseline`.",
            kind="POLICY",
        )
    if _WEBHOOK.search(message):
        return cause(
            subject,
            "its pod could not be created, because a webhook of the cluster that checks pods failed",
            [message],
            "Train again when the webhook works; the text above names it, for an administrator.",
            "`retries: 2` in riseml.yml starts such experiments again.",
            kind="WEBHOOK",
        )
    priority = _PRIORITY.search(message)
    if priority is not None:
        return cause(
            subject,
            f"the cluster has no PriorityClass '{priority['name']}', which `priority` in riseml.yml names",
            [message],
            "Name another one, or remove `priority`, and train again.",
            "An administrator can create it: `kubectl get priorityclasses` lists those that exist.",
            kind="PRIORITY",
        )
    return _out_of_limits(subject)


def _out_of_limits(subject: Subject) -> Cause | None:
    message = subject.message
    rule = _RANGE.search(message)
    default = _DEFAULT.search(message)
    if rule is not None:
        explanation = f"a LimitRange of the namespace does not allow it: {rule['rule']}"
    elif default is not None:
        explanation = (
            "it requests more than the limit that a LimitRange of the namespace gives to containers:"
            f" {default['resource']} {default['limit']}"
        )
    else:
        return _without_limits(subject)
    return cause(
        subject,
        f"{explanation}{_request(subject.resources)}",
        [message],
        _LESS,
        "An administrator can change the LimitRange: `kubectl get limitranges` in the namespace lists them.",
        kind="LIMITS",
    )


def _without_limits(subject: Subject) -> Cause | None:
    missing = _NO_LIMIT.search(subject.message)
    if missing is None:
        return None
    return cause(
        subject,
        f"the quota {missing['name']} requires every container to have {missing['fields']}, and its pod has none",
        [subject.message],
        "An administrator can add a LimitRange with defaults for these to the namespace.",
        kind="LIMITS",
    )


def _request(resources: Resources | None) -> str:
    if resources is None:
        return ""
    cpus = number_text(resources.cpus)
    return f"; the job requests {cpus} cpus and {phrases.memory(resources.mem)}"
