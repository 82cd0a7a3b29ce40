"""Workloads of Kueue 0.19.2, as a real cluster has shown them."""

import json
from pathlib import Path
from typing import Any

import pytest

from riseml.queues import workloads

MISSING = "insufficient unused quota for {} in flavor a100, {} more needed"
NEVER = (
    "insufficient quota for nvidia.com/gpu in flavor a100, previously considered podsets"
    " requests (0) + current podset request (16) > maximum capacity (8)"
)
FOLDER = Path(__file__).parent.parent.parent / "fixtures" / "kueue"


def load(name: str) -> dict[str, Any]:
    recording: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
    return recording


def standings(recording: dict[str, Any], **positions: int) -> dict[str, str]:
    """Return where the gated pods of a recording stand, by the name of their Workload."""
    found = {}
    for pod in filter(workloads.is_gated, recording["pods"]):
        workload = workloads.of_pod(pod, recording["workloads"])
        assert workload is not None
        standing = workloads.standing(workload, recording["workloads"], positions)
        assert standing is not None
        found[workload["metadata"]["name"]] = standing.text
    return found


def test_gangs_that_wait_have_a_position_and_a_shortage() -> None:
    short = "3 more riseml.io/test-slot needed"
    assert standings(load("waiting")) == {
        "gang-7-1": f"queue research, position 1 of 2 of yours: {short}",
        "gang-8-1": f"queue research, position 2 of 2 of yours: {short}",
    }


def test_a_priority_comes_before_age() -> None:
    recording = load("waiting")
    for workload in recording["workloads"]:
        if workload["metadata"]["name"] == "gang-8-1":
            workload["spec"]["priority"] = 1000
    assert "position 1 of 2" in standings(recording)["gang-8-1"]


def test_the_cluster_may_tell_the_position_among_all() -> None:
    positions = {"gang-7-1": 7, "gang-8-1": 9}
    text = standings(load("waiting"), **positions)["gang-7-1"]
    assert text.startswith("queue research, position 7 of 9 in the cluster: ")


@pytest.mark.parametrize(
    ("message", "shortage"),
    [
        (
            ", ".join(
                map(MISSING.format, ("nvidia.com/gpu", "memory"), ("2", "285804Ki"))
            ),
            "2 more gpus needed; 293 more MB needed",
        ),
        (MISSING.format("cpu", "500m"), "0.5 more cpus needed"),
        (NEVER, "it requests 16 gpus, but the queue has 8 gpus at all"),
        ("LocalQueue research doesn't exist", "LocalQueue research doesn't exist"),
    ],
)
def test_what_is_short_is_said_in_the_words_of_riseml_yml(
    message: str, shortage: str
) -> None:
    status = {
        "conditions": [{"type": "QuotaReserved", "status": "False", "message": message}]
    }
    workload = {"metadata": {"name": "w"}, "spec": {"queueName": "q"}, "status": status}
    standing = workloads.standing(workload, [workload], {})
    assert standing is not None
    assert standing.shortage == shortage


@pytest.mark.parametrize(
    ("labels", "text"),
    [
        ({}, ""),
        (
            {"kueue.x-k8s.io/priority-class": "nosuch"},
            "; if that lasts, the cluster lacks the priority nosuch",
        ),
    ],
)
def test_kueue_says_nowhere_else_that_a_priority_does_not_exist(
    labels: dict[str, str], text: str
) -> None:
    labels = {"kueue.x-k8s.io/queue-name": "night", **labels}
    pod = {"metadata": {"name": "p", "labels": labels}, "spec": {}}
    expected = f"queue night: Kueue has not accepted it yet{text}"
    assert workloads.text_of(pod, [], {}) == expected
