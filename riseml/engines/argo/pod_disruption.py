"""Who is removing a running pod, from its condition DisruptionTarget.

The pod has this condition while its job may still save a checkpoint. Argo reports only how
the job ended.
"""

from collections.abc import Mapping
from typing import Any

from riseml import conditions

_KIND = "DisruptionTarget"
# Kubernetes' reason of the condition → the word for it, and what is happening.
_REASONS = {
    "PreemptionByScheduler": (
        "PREEMPTED",
        "a pod of a higher priority takes its place",
    ),
    "EvictionByEvictionAPI": ("DELETED", "its node is being drained"),
    "DeletionByTaintManager": ("NODE_LOST", "its node must not run it any longer"),
    "TerminationByKubelet": ("PREEMPTED", "its node ends it to save itself"),
}


def disruption(pod: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the reason and a sentence for a pod that is being removed, None for any other pod."""
    if not conditions.is_true(pod, _KIND):
        return None
    reason = conditions.condition(pod, _KIND).get("reason", "")
    if reason not in _REASONS:
        return None
    word, sentence = _REASONS[reason]
    return word, f"{sentence} ({reason})"
