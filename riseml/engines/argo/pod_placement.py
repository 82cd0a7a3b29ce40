"""Why a pod has no node yet, from its conditions.

Argo repeats only some of this, and later: it looks at a Workflow every ten seconds.
"""

from collections.abc import Mapping
from typing import Any

from riseml import conditions

_GATED = "SchedulingGated"


def obstacle(pod: Mapping[str, Any]) -> str:
    """Return what keeps a pod from a node as Argo would write it, empty if nothing does."""
    condition = conditions.condition(pod, "PodScheduled")
    if condition.get("status") != "False":
        return ""
    if condition.get("reason") == _GATED:
        return f"{_GATED}: {', '.join(gates(pod))}"
    return f"{condition.get('reason', '')}: {condition.get('message', '')}"


def gates(pod: Mapping[str, Any]) -> list[str]:
    """Return the names of the gates that hold a pod back."""
    return [gate["name"] for gate in pod["spec"].get("schedulingGates", ())]
