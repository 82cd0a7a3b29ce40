"""Conditions of Kubernetes' objects."""

from riseml import conditions

_POD = {
    "status": {
        "conditions": [
            {"type": "Ready", "status": "False", "reason": "ContainersNotReady"},
            {"type": "PodScheduled", "status": "True"},
        ]
    }
}


def test_a_condition_is_found_by_its_kind() -> None:
    assert conditions.condition(_POD, "Ready")["reason"] == "ContainersNotReady"
    assert conditions.condition(_POD, "DisruptionTarget") == {}
    assert conditions.condition({}, "Ready") == {}


def test_only_a_true_condition_counts() -> None:
    assert conditions.is_true(_POD, "PodScheduled")
    assert not conditions.is_true(_POD, "Ready")
    assert not conditions.is_true({"status": {}}, "Ready")
