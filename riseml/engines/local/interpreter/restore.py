"""From kept nodes back to a run in progress: everything in a frame can be told from the nodes."""

from collections.abc import Iterable

from riseml.engines.local.interpreter.graph import ACTIVE, Ledger, takes_place
from riseml.engines.local.interpreter.node import (
    DAG,
    DELETION,
    FAILED,
    POD,
    RETRY,
    SUCCEEDED,
    TASK_GROUP,
    UNSUCCESSFUL,
    Node,
)
from riseml.engines.local.interpreter.progress import (
    DagFrame,
    Frame,
    GroupFrame,
    RetryFrame,
)
from riseml.engines.local.interpreter.rules import Outcome


def take_up(run: Ledger, nodes: Iterable[Node]) -> None:
    """Enter the nodes of a run, and rebuild the frames of what is not done."""
    for node in sorted(nodes, key=lambda node: node.sequence):
        _take_up(run, node)
    for frame in run.frames.values():
        if isinstance(frame, DagFrame):
            _catch_up(run, frame)
    root = run.find(run.name)
    if root is not None and root.stopped_by != DELETION:
        run.strategy = root.stopped_by


def _take_up(run: Ledger, node: Node) -> None:
    run.add(node)
    if node.live:
        run.live[node.id] = None
    dag, owner = run.frames.get(node.boundary), _owner(run, node)
    if isinstance(dag, DagFrame):
        _enter(dag, node)
    if isinstance(owner, RetryFrame):
        owner.attempts.append(node)
    elif isinstance(owner, GroupFrame):
        owner.upcoming += 1
        _count(owner, node)
    if not node.fulfilled and not node.hooked:
        run.owners[node.id] = owner
        if frame := _frame(run, node, owner):
            run.frames[node.id] = frame


def _owner(run: Ledger, node: Node) -> Frame | None:
    """Return the frame that waits for a node: made before, as frames come before what is in them."""
    if node.hooked:
        return None
    above = run.frames.get(node.parents[0]) if node.parents else None
    return (
        above
        if node.retried or isinstance(above, GroupFrame)
        else run.frames.get(node.boundary)
    )


def _enter(dag: DagFrame, node: Node) -> None:
    dag.enter(node)
    dag.active += node.phase in ACTIVE and takes_place(node)
    dag.failures += (
        node.phase in UNSUCCESSFUL and node.type in (POD, DAG) and not node.hooked
    )
    if node.daemoned:
        dag.daemons.add(node.id)


def _count(group: GroupFrame, node: Node) -> None:
    if node.fulfilled:
        group.count(node)
    else:
        group.open += 1


def _frame(run: Ledger, node: Node, owner: Frame | None) -> Frame | None:
    template, dag = run.template(node), run.frames.get(node.boundary)
    around = dag if isinstance(dag, DagFrame) else None
    if node.type == RETRY:
        return RetryFrame(node, template, around, owner)
    if node.type == DAG and template.dag is not None:
        return DagFrame(node, template, template.dag, owner, run.known(node))
    if node.type == TASK_GROUP:
        boundary = run.nodes[node.boundary]
        tasks = run.template(boundary).dag
        # Boundaries are DAGs
        assert tasks is not None  # noqa: S101
        return GroupFrame(
            node, template, around, tasks.tasks[node.name[len(boundary.name) + 1 :]]
        )
    return None


def _catch_up(run: Ledger, frame: DagFrame) -> None:
    """Note what the done tasks of a DAG have come to, and leave those as ready that have still to be started."""
    for name, node in frame.tasks.items():
        if node.fulfilled:
            frame.note(frame.dag.tasks[name], _outcome(run, node))
    frame.ready = [
        place for place in frame.ready if _open(run, frame, frame.dag.order[place].name)
    ]


def _outcome(run: Ledger, node: Node) -> Outcome:
    if node.type != TASK_GROUP:
        return Outcome(node.phase, node.daemoned)
    phases = [
        run.nodes[child].phase
        for child in run.children.get(node.id, ())
        if not run.nodes[child].hooked
    ]
    return Outcome(
        node.phase,
        any_succeeded=SUCCEEDED in phases,
        all_failed=all(phase == FAILED for phase in phases),
    )


def _open(run: Ledger, frame: DagFrame, task: str) -> bool:
    if task not in frame.tasks:
        return True
    group = run.frames.get(frame.tasks[task].id)
    return isinstance(group, GroupFrame) and not group.exhausted
