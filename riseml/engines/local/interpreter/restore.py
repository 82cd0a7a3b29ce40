"""Restoration of a run from its saved nodes, which determine every frame."""

from collections.abc import Iterable, Sequence
from typing import Any

from riseml.engines.local.interpreter import variables
from riseml.engines.local.interpreter.graph import Graph
from riseml.engines.local.interpreter.node import (
    DAG,
    DELETION,
    FAILED,
    RETRY,
    SUCCEEDED,
    TASK_GROUP,
    Node,
)
from riseml.engines.local.interpreter.progress import (
    DagFrame,
    Frame,
    GroupFrame,
    RetryFrame,
)
from riseml.engines.local.interpreter.rules import Outcome
from riseml.engines.local.interpreter.templates import Task


def restore(graph: Graph, nodes: Iterable[Node]) -> None:
    """Add the saved nodes of a run, and rebuild the frames of the unfinished ones."""
    # In the order of their creation, in which a frame precedes everything in it.
    for node in sorted(nodes, key=lambda node: node.sequence):
        _restore_node(graph, node)
    for frame in graph.frames.values():
        if isinstance(frame, DagFrame):
            _restore_outcomes(graph, frame)
    # A root that is a pod may have been deleted; then no shutdown took place.
    root = graph.root
    if root is not None and root.stopped_by != DELETION:
        graph.shutdown = root.stopped_by


def _restore_node(graph: Graph, node: Node) -> None:
    graph.add(node)
    if node.live:
        graph.live[node.id] = None
    dag = graph.dag_of(node)
    if dag is not None:
        _enter(dag, node)
    owner = _owner(graph, node)
    if owner is not None:
        owner.child_restored(node)
    if node.fulfilled or node.hooked:
        return
    graph.owners[node.id] = owner
    frame = _create_frame(graph, node, owner)
    if frame is not None:
        graph.frames[node.id] = frame


def _owner(graph: Graph, node: Node) -> Frame | None:
    """Return the frame that waits for a node, which was restored before it."""
    if node.hooked:
        return None
    if node.parents:
        # An attempt belongs to its retry group, an item to its group; the parent of a
        # task is a node before it.
        parent = graph.frames.get(node.parents[0])
        if node.retried or isinstance(parent, GroupFrame):
            return parent
    return graph.frames.get(node.boundary)


def _enter(dag: DagFrame, node: Node) -> None:
    dag.enter(node)
    if node.counts_as_failure:
        dag.failures += 1
    if node.daemoned:
        dag.daemons.add(node.id)


def _create_frame(graph: Graph, node: Node, owner: Frame | None) -> Frame | None:
    template = graph.template_of(node)
    dag = graph.dag_of(node)
    if node.type == RETRY and template.retry is not None:
        return RetryFrame(node, template, template.retry, dag, owner)
    if node.type == DAG:
        variables = graph.node_variables(node)
        return DagFrame(node, template, graph.tasks_of(node), owner, variables)
    if node.type == TASK_GROUP:
        task = _task_of_group(graph, node)
        return GroupFrame(node, template, dag, task, _items(graph, dag, task))
    return None


def _items(graph: Graph, dag: DagFrame | None, task: Task) -> Sequence[Any]:
    """Return the items of a group, as they were when it was created."""
    # Without its DAG, the group starts no more items.
    if dag is None:
        return task.items or ()
    return variables.items(task, graph.task_lookup(dag))


def _task_of_group(graph: Graph, group: Node) -> Task:
    # The DAG may have failed before the group has ended, so it may have no frame.
    boundary = graph.nodes[group.boundary]
    return graph.tasks_of(boundary).tasks[group.name[len(boundary.name) + 1 :]]


def _restore_outcomes(graph: Graph, frame: DagFrame) -> None:
    """Record the outcomes of done tasks, and keep only unstarted ones in `ready`."""
    # This adds the tasks that may start now to `ready`, including those that have
    # nodes.
    for name, node in frame.tasks.items():
        if node.fulfilled:
            frame.record(frame.dag.tasks[name], _outcome(graph, node))
    frame.ready = [
        position
        for position in frame.ready
        if _can_start_nodes(graph, frame, frame.dag.order[position].name)
    ]


def _outcome(graph: Graph, node: Node) -> Outcome:
    if node.type != TASK_GROUP:
        return Outcome(node.phase, node.daemoned)
    children = [graph.nodes[key] for key in graph.children.get(node.id, ())]
    # Hooks of the task are children of the group as well.
    phases = {child.phase for child in children if not child.hooked}
    return Outcome(
        node.phase,
        any_succeeded=SUCCEEDED in phases,
        all_failed=phases <= {FAILED},
    )


def _can_start_nodes(graph: Graph, frame: DagFrame, task: str) -> bool:
    """Tell whether a task has no node yet, or items without a node."""
    if task not in frame.tasks:
        return True
    group = graph.frames.get(frame.tasks[task].id)
    return isinstance(group, GroupFrame) and not group.exhausted
