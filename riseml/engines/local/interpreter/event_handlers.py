"""Event handlers: what each event changes in the graph of a run.

Events about pods that are unknown or have ended change nothing.
"""

import heapq

from riseml.engines.local.interpreter import pod_outcome, status
from riseml.engines.local.interpreter.events import PodEnded
from riseml.engines.local.interpreter.graph import Graph
from riseml.engines.local.interpreter.hooks import set_phase
from riseml.engines.local.interpreter.node import (
    FAILED,
    FINAL,
    PENDING,
    RETRY,
    RUNNING,
    Node,
)
from riseml.engines.local.interpreter.progress import DagFrame
from riseml.engines.local.interpreter.retries_and_pods import launch, stopped_message


def pod_pending(graph: Graph, key: str, message: str) -> None:
    """Show why a pod is pending."""
    node = _live_node(graph, key)
    if node is None or node.phase != PENDING or node.message == message:
        return
    node.message = message
    graph.dirty.add(key)


def pod_started(graph: Graph, key: str, started_at: float | None) -> None:
    """Mark a pod as running; its dependents may start if it is a daemon."""
    node = _live_node(graph, key)
    if node is None or node.phase != PENDING:
        return
    node.running_at = _event_time(graph, node.started_at, started_at)
    set_phase(graph, node, RUNNING, "")
    if graph.template_of(node).daemon:
        node.daemoned = True
        dag = graph.dag_of(node)
        if dag is not None:
            dag.daemons.add(key)
        graph.settle(node)


def pod_progressed(graph: Graph, key: str, progress: str) -> None:
    """Record the progress of a job, unless it is malformed."""
    node = _live_node(graph, key)
    if node is None or node.progress == progress:
        return
    if status.PROGRESS.fullmatch(progress):
        node.progress = progress
        graph.dirty.add(key)


def pod_ended(graph: Graph, event: PodEnded) -> None:
    """Record how a pod has ended."""
    node = _live_node(graph, event.node)
    if node is None:
        return
    del graph.live[node.id]
    node.ended_at = _event_time(graph, node.running_at or node.started_at, event.at)
    graph.dirty.add(node.id)
    is_over = node.phase in FINAL
    # A daemon was finished when it became ready, but if it fails, its end counts.
    failed_daemon = node.daemoned and not node.stopped_by and not is_over
    if node.finished_at is None or failed_daemon:
        node.finished_at = node.ended_at
    template = graph.template_of(node)
    if not is_over:
        # Argo does not reset the flag of a daemon that was deleted.
        node.daemoned = node.daemoned and bool(node.stopped_by)
        pod_outcome.record(node, event, template)
        phase, message = pod_outcome.verdict(node, event, template)
        set_phase(graph, node, phase, message)
    elif graph.shutdown and node.running_at is not None:
        # A pod that a shutdown stopped while it ran shows how it really ended: it may have
        # saved its work and succeeded.
        pod_outcome.record(node, event, template)
        phase, message = pod_outcome.verdict(node, event, template)
        set_phase(graph, node, phase, message or None)
    dag = graph.dag_of(node)
    if dag is not None:
        dag.amend(node)
        graph.wake(dag)
    graph.settle(node)


def locks_granted(graph: Graph, key: str) -> None:
    """Start a node that has waited for its locks."""
    node = graph.nodes.get(key)
    if node is None or not node.waiting or node.phase in FINAL:
        return
    node.waiting = ""
    if node.type == RETRY:
        set_phase(graph, node, RUNNING, "")
        graph.wake(graph.frames[key])
    else:
        set_phase(graph, node, PENDING, "")
        launch(graph, node)


def annotated(graph: Graph, key: str, value: str) -> None:
    """Change an annotation of the Workflow, and examine the tasks that may depend on it."""
    name = f"workflow.annotations.{key}"
    if graph.variables.get(name) == value:
        return
    graph.variables[name] = value
    graph.variables_version += 1
    for frame in graph.frames.values():
        if isinstance(frame, DagFrame) and frame.ready:
            frame.recheck = True
            graph.wake(frame)


def shut_down(graph: Graph, strategy: str) -> None:
    """End the run: pods are stopped, waiting tasks do not run, and every DAG fails."""
    root = graph.nodes.get(graph.name)
    if root is None or root.fulfilled or root.stopped_by:
        return
    graph.shutdown = strategy
    root.stopped_by = strategy
    graph.dirty.add(root.id)
    # Nodes that settle leave `owners`.
    for node in [graph.nodes[key] for key in graph.owners]:
        if node.id in graph.live and node.phase not in FINAL:
            # Argo writes two spaces here.
            message = f"workflow shutdown with strategy:  {strategy}"
            set_phase(graph, node, FAILED, message)
            graph.stop_pod(node, "shutdown")
        elif node.waiting:
            set_phase(graph, node, FAILED, stopped_message(graph))
        graph.settle(node)
    # The innermost frames come first: a DAG fails after everything in it has ended.
    frames = sorted(graph.frames.values(), key=lambda frame: -frame.node.sequence)
    for frame in frames:
        if frame.node.id in graph.frames:
            graph.advance(frame)


def timers_due(graph: Graph) -> None:
    """Start attempts whose backoff is over, and fail pods that were pending for too long."""
    while graph.timers and graph.timers[0][0] <= graph.now:
        _, key = heapq.heappop(graph.timers)
        node = graph.nodes[key]
        if node.type == RETRY and not node.waiting and key in graph.frames:
            graph.wake(graph.frames[key])
        elif node.phase == PENDING:
            set_phase(graph, node, FAILED, "timeout")
            if key in graph.live:
                graph.stop_pod(node, "timeout")
            graph.settle(node)


def needs_timer(node: Node) -> bool:
    """Tell whether a timer of a node still matters."""
    if node.phase == PENDING:
        return True
    return node.type == RETRY and node.phase not in FINAL


def _live_node(graph: Graph, key: str) -> Node | None:
    """Return the node of a pod that the shell was asked to start and that has not ended."""
    return graph.nodes[key] if key in graph.live else None


def _event_time(graph: Graph, earliest: float, reported: float | None) -> float:
    """Return when a reported event happened: neither before its cause nor in the future."""
    if reported is None:
        return graph.now
    return min(max(reported, earliest), graph.now)
