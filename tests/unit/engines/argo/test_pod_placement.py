"""What keeps a pod from a node, from the conditions that Kubernetes 1.33 writes."""

from typing import Any

import pytest

from riseml.engines.argo import pod_placement

GATED = {
    "type": "PodScheduled",
    "status": "False",
    "reason": "SchedulingGated",
    "message": "Scheduling is blocked due to non-empty scheduling gates",
}
FULL = {
    "type": "PodScheduled",
    "status": "False",
    "reason": "Unschedulable",
    "message": "0/1 nodes are available: 1 Insufficient cpu.",
}
PLACED = {"type": "PodScheduled", "status": "True"}


@pytest.mark.parametrize(
    ("conditions", "gates", "obstacle"),
    [
        ([GATED], ["a/b", "c/d"], "SchedulingGated: a/b, c/d"),
        ([FULL], [], "Unschedulable: 0/1 nodes are available: 1 Insufficient cpu."),
        ([{"type": "Ready", "status": "False"}, PLACED], [], ""),
        ([], [], ""),
    ],
)
def test_a_pod_without_a_node(
    conditions: list[Any], gates: list[str], obstacle: str
) -> None:
    spec = {"schedulingGates": [{"name": name} for name in gates]}
    pod = {"spec": spec, "status": {"conditions": conditions}}
    assert pod_placement.obstacle(pod) == obstacle
