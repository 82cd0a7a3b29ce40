"""Who is removing a pod, from the condition that Kubernetes 1.33 gives it."""

import pytest

from riseml.engines.argo import pod_disruption


def pod(reason: str, status: str = "True") -> dict[str, object]:
    condition = {"type": "DisruptionTarget", "status": status, "reason": reason}
    return {"status": {"conditions": [{"type": "Ready"}, condition]}}


@pytest.mark.parametrize(
    ("reason", "word", "sentence"),
    [
        (
            "PreemptionByScheduler",
            "PREEMPTED",
            "a pod of a higher priority takes its place (PreemptionByScheduler)",
        ),
        (
            "EvictionByEvictionAPI",
            "DELETED",
            "its node is being drained (EvictionByEvictionAPI)",
        ),
        (
            "DeletionByTaintManager",
            "NODE_LOST",
            "its node must not run it any longer (DeletionByTaintManager)",
        ),
    ],
)
def test_a_pod_that_is_being_removed(reason: str, word: str, sentence: str) -> None:
    assert pod_disruption.disruption(pod(reason)) == (word, sentence)


@pytest.mark.parametrize(
    "unaffected", [{}, pod("PreemptionByScheduler", "False"), pod("Unknown")]
)
def test_any_other_pod(unaffected: dict[str, object]) -> None:
    assert pod_disruption.disruption(unaffected) is None
