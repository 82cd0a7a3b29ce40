"""Cost of events and size of a run: neither grows with what has ended."""

import tracemalloc

from riseml.engines.local.interpreter.events import PodEnded, PodStarted, StartPod
from riseml.engines.local.interpreter.node import Node
from riseml.engines.local.interpreter.run import WorkflowRun
from tests.unit import plans
from tests.unit.simulator import BEGINNING

MEGABYTE = 1_000_000


def finish(experiments: int) -> WorkflowRun:
    """Run a set to its end, and check after each event how much is in progress."""
    values = (
        {"lr": f"{number}e-5", "momentum": "0.9", "batch-size": "32"}
        for number in range(experiments)
    )
    run = WorkflowRun(plans.compiled(plans.grid(*values, concurrency=2)), "uid")
    running = [
        action.node for action in run.start(BEGINNING) if isinstance(action, StartPod)
    ]
    now = BEGINNING
    while running:
        node = running.pop(0)
        for event in (
            PodStarted(node),
            PodEnded(node, 0, outputs={"result": f'{{"accuracy": {now}}}'}),
        ):
            now += 1
            running += [
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


def test_an_event_changes_only_what_is_in_progress() -> None:
    assert len(finish(500).nodes) == 3 + 2 * 500


def test_finished_experiments_are_small() -> None:
    # What it loads belongs to no run.
    finish(1)
    tracemalloc.start()
    run = finish(500)
    # Threads of other tests allocate as well.
    interpreter = tracemalloc.Filter(True, "*/engines/local/interpreter/*")
    snapshot = tracemalloc.take_snapshot().filter_traces([interpreter])
    used = sum(entry.size for entry in snapshot.statistics("filename"))
    tracemalloc.stop()
    assert len(run.nodes) == 3 + 2 * 500
    assert 0.5 * MEGABYTE < used < 1.2 * MEGABYTE


def test_a_restored_run_has_nothing_in_progress() -> None:
    run = finish(200)
    restored = WorkflowRun.restore(
        run.document,
        "uid",
        [Node.from_row(node.to_row()) for node in run.nodes.values()],
    )
    assert not restored.graph.frames
    assert not restored.graph.owners
    assert restored.ended
    assert restored.resume(BEGINNING) == []
    assert restored.status() == run.status()
