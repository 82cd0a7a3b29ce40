"""Outcome of a pod: phase, message, exit code and outputs."""

import pytest

from tests.unit.simulator import (
    End,
    by_name,
    simulate,
)
from tests.unit.workflows import dag, job, task, workflow

F = "Failed"
S = "Succeeded"
E = "Error"


@pytest.mark.parametrize(
    ("end", "phase", "message", "exit_code"),
    [
        (End(137, reason="OOMKilled"), F, "main: OOMKilled (exit code 137)", "137"),
        (End(128, container="checkout"), F, "checkout: Error (exit code 128)", None),
        (
            End(143, container="checkout"),
            E,
            "Pod failed before main container starts due to PodInitializing: ",
            None,
        ),
        (
            End(None, message="machine restarted", phase="Error"),
            E,
            "machine restarted",
            None,
        ),
        (End(137, message="too long", phase="Failed"), F, "too long", "137"),
        (
            End(None),
            F,
            "pod failed: neither main nor wait container completed successfully",
            None,
        ),
    ],
)
def test_the_end_of_a_pod_determines_phase_message_and_exit_code(
    end: End, phase: str, message: str, exit_code: str | None
) -> None:
    node = by_name(
        simulate(workflow(dag("main", task("a")), job()), {".a": [end]}), "a"
    )
    assert (
        node["phase"],
        node["message"],
        node.get("outputs", {}).get("exitCode"),
    ) == (phase, message, exit_code)


@pytest.mark.parametrize(
    ("ends", "phase", "value"),
    [
        ([End(outputs={"r": "written"})], S, "written"),
        ([End()], S, "default"),
        ([End(2)], F, "default"),
    ],
)
def test_outputs_of_a_failed_job_are_read_as_well(
    ends: list[End], phase: str, value: str
) -> None:
    document = workflow(dag("main", task("a")), job(outputs={"r": "default"}))
    node = by_name(simulate(document, {".a": ends}), "a")
    assert node["phase"] == phase
    assert node["outputs"]["parameters"] == [
        {"name": "r", "value": value, "valueFrom": {"path": "/r", "default": "default"}}
    ]


def test_a_missing_output_is_an_error() -> None:
    node = by_name(
        simulate(workflow(dag("main", task("a")), job(outputs={"r": None}))), "a"
    )
    assert (node["phase"], node["message"]) == (
        E,
        "wait: Error (exit code 64): open /r: no such file or directory",
    )
