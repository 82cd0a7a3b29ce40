"""Runs: start, entrypoint, determinism."""

from riseml.engines.local.interpreter.run import WorkflowRun
from tests.unit import plans
from tests.unit.simulator import (
    simulate,
)
from tests.unit.workflows import job, workflow

F = "Failed"


def test_a_run_that_has_not_started_has_no_status() -> None:
    run = WorkflowRun(workflow(job()), "uid")
    assert run.status() == {}
    assert not run.ended
    assert run.next_tick() is None


def test_a_container_can_be_the_entrypoint() -> None:
    done = simulate(workflow(job()), {"w": [4]})
    assert (done["status"]["phase"], done["status"]["message"]) == (
        F,
        "main: Error (exit code 4)",
    )
    assert list(done["status"]["nodes"]) == ["w"]


def test_the_same_workflow_always_has_the_same_status() -> None:
    document = plans.compiled(
        plans.grid(*({"lr": str(i)} for i in range(5)), concurrency=2)
    )
    assert simulate(document) == simulate(document)
