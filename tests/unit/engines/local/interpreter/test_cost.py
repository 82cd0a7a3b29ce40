"""What an event costs does not grow with the set, and a set's history stays small."""

import tracemalloc

from riseml.engines.local.interpreter.events import PodEnded, PodStarted, StartPod
from riseml.engines.local.interpreter.node import Node
from riseml.engines.local.interpreter.run import WorkflowRun
from tests.unit import plans
from tests.unit.simulator import BEGINNING

MEGABYTE = 1_000_000


def finished(cells: int) -> WorkflowRun:
    """Run a set to its end, watching at each event how much the interpreter has in hand."""
    values = (
        {"lr": f"{number}e-5", "momentum": "0.9", "batch-size": "32"}
        for number in range(cells)
    )
    run = WorkflowRun(plans.compiled(plans.grid(*values, concurrency=2)), "uid")
    waiting = [
        action.node for action in run.start(BEGINNING) if isinstance(action, StartPod)
    ]
    now = BEGINNING
    while waiting:
        node = waiting.pop(0)
        for event in (
            PodStarted(node),
            PodEnded(node, 0, outputs={"result": f'{{"accuracy": {now}}}'}),
        ):
            now += 1
            waiting += [
                action.node
                for action in run.apply(event, now)
                if isinstance(action, StartPod)
            ]
            assert len(run.dirty) <= 8
            assert len(run.graph.frames) <= 6
            assert len(run.graph.owners) <= 8
            assert len(run.graph.live) <= 2
            run.dirty.clear()
    assert run.ended
    return run


def test_an_event_touches_what_is_in_progress_only() -> None:
    assert len(finished(500).nodes) == 3 + 2 * 500


def test_finished_experiments_are_small() -> None:
    tracemalloc.start()
    run = finished(500)
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(run.nodes) == 3 + 2 * 500
    assert used < 2 * MEGABYTE


def test_a_restored_run_is_as_small() -> None:
    run = finished(200)
    restored = WorkflowRun.restore(
        run.document,
        "uid",
        [Node.from_row(node.to_row()) for node in run.nodes.values()],
    )
    assert not restored.graph.frames
    assert not restored.graph.owners
    assert restored.ended
    assert restored.resume(BEGINNING) == []
    assert restored.status(BEGINNING) == run.status(BEGINNING)
