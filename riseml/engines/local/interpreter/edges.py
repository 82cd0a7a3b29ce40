"""Edges between nodes: which nodes list the node of a task as their child."""

from collections.abc import Iterator

from riseml.engines.local.interpreter.graph import Graph
from riseml.engines.local.interpreter.node import DAG, RETRY, TASK_GROUP, Node
from riseml.engines.local.interpreter.progress import DagFrame
from riseml.engines.local.interpreter.templates import Task


def parents(graph: Graph, frame: DagFrame, task: Task) -> tuple[str, ...]:
    """Return the ids of the nodes that list a task's node as a child."""
    # The tasks that start first hang from the DAG itself.
    if not task.needs:
        return (frame.node.id,)
    # A task that waits for a slot is examined many times; its needs do not change.
    if task.name not in frame.parents:
        ids: dict[str, None] = {}
        for need in task.needs:
            ids.update(dict.fromkeys(outbound(graph, frame.tasks[need])))
        frame.parents[task.name] = tuple(ids)
    return frame.parents[task.name]


def outbound(graph: Graph, node: Node) -> Iterator[str]:
    """Yield the ids of the last nodes of a task: the parents of the tasks after it."""
    children = graph.children.get(node.id, [])
    if node.type == DAG:
        yield from _outbound_of_dag(graph, node)
    elif node.type == TASK_GROUP and children:
        for child in children:
            yield from outbound(graph, graph.nodes[child])
    elif node.type == RETRY and children:
        # Only the last attempt has decided how the group ended.
        yield children[-1]
    else:
        yield node.id


def _outbound_of_dag(graph: Graph, node: Node) -> Iterator[str]:
    for target in graph.tasks_of(node).targets:
        last = graph.find(f"{node.name}.{target}")
        if last is not None:
            yield from outbound(graph, last)
