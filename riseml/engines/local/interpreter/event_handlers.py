"""Event handlers: what each event changes in the graph of a run."""

import heapq
from collections.abc import Callable, Mapping
from typing import Final

from riseml.engines.local.interpreter import label_selectors, pod_outcome
from riseml.engines.local.interpreter.events import (
    Annotated,
    DeletePods,
    Event,
    LockGranted,
    PodEnded,
    PodEvent,
    PodPending,
    PodProgressed,
    PodReturned,
    PodStarted,
    Shutdown,
    Tick,
)
from riseml.engines.local.interpreter.graph import Graph
from riseml.engines.local.interpreter.hooks import delete_pods, pod_lookup, set_phase
from riseml.engines.local.interpreter.node import (
    FAILED,
    FINAL,
    PENDING,
    RETRY,
    RUNNING,
    Node,
    is_progress,
)
from riseml.engines.local.interpreter.progress import DagFrame
from riseml.engines.local.interpreter.retries_and_pods import launch, stopped_message


def handle(graph: Graph, event: Event) -> None:
    """Change the graph as an event demands.

    Events about pods that are unknown or have ended change nothing.
    """
    if not isinstance(event, PodEvent):
        _HANDLERS[type(event)](graph, event)
    elif event.node in graph.live:
        _POD_HANDLERS[type(event)](graph, graph.nodes[event.node], event)


# Events about pods


def _pod_pending(graph: Graph, node: Node, event: PodPending) -> None:
    """Show why a pod is pending."""
    if node.phase == PENDING and node.message != event.message:
        node.message = event.message
        graph.dirty.add(node.id)


def _pod_started(graph: Graph, node: Node, event: PodStarted) -> None:
    """Mark a pod as running; its dependents may start if it is a daemon."""
    if node.phase != PENDING:
        return
    node.running_at = _event_time(graph, node.started_at, event.at)
    set_phase(graph, node, RUNNING, "")
    if graph.template_of(node).daemon:
        node.daemoned = True
        dag = graph.dag_of(node)
        if dag is not None:
            dag.daemons.add(node.id)
        graph.settle(node)


def _pod_returned(graph: Graph, node: Node, event: PodReturned) -> None:  # noqa: ARG001
    """Mark a pod as pending again; others may rely on a daemon, which stays ready."""
    if node.phase == RUNNING and not node.daemoned:
        node.running_at = None
        set_phase(graph, node, PENDING, "")


def _pod_progressed(graph: Graph, node: Node, event: PodProgressed) -> None:
    """Record the progress of a job, unless it is malformed."""
    is_new = event.progress != node.progress
    if is_new and is_progress(event.progress):
        node.progress = event.progress
        graph.dirty.add(node.id)


def _pod_ended(graph: Graph, node: Node, event: PodEnded) -> None:
    """Record how a pod has ended."""
    del graph.live[node.id]
    graph.dirty.add(node.id)
    node.ended_at = _event_time(graph, node.running_at or node.started_at, event.at)
    is_over = node.phase in FINAL
    ended_by_itself = not is_over and not node.stopped_by
    if node.finished_at is None or ended_by_itself:
        # A daemon was finished when it became ready. If it ends by itself, that counts.
        node.finished_at = node.ended_at
    if not is_over:
        # Argo does not reset the flag of a daemon that was deleted.
        node.daemoned = node.daemoned and bool(node.stopped_by)
        phase, message = _record_outcome(graph, node, event)
        set_phase(graph, node, phase, message)
    elif graph.shutdown and node.running_at is not None:
        # A pod that a shutdown stopped while it ran shows how it really ended: it may
        # have saved its work and succeeded.
        phase, message = _record_outcome(graph, node, event)
        set_phase(graph, node, phase, message or None)
    dag = graph.dag_of(node)
    if dag is not None:
        dag.amend(node)
        graph.wake(dag)
    graph.settle(node)


def _record_outcome(graph: Graph, node: Node, event: PodEnded) -> tuple[str, str]:
    template = graph.template_of(node)
    pod_outcome.record(node, event, template, pod_lookup(graph, node))
    return pod_outcome.verdict(node, event, template)


def _event_time(graph: Graph, earliest: float, reported: float | None) -> float:
    """Return when an event happened: neither before its cause nor in the future."""
    if reported is None:
        return graph.now
    return min(max(reported, earliest), graph.now)


# Other events


def _locks_granted(graph: Graph, event: LockGranted) -> None:
    """Start a node that has waited for its locks."""
    node = graph.nodes.get(event.node)
    if node is None or not node.waiting or node.phase in FINAL:
        return
    node.waiting = ""
    if node.type == RETRY:
        set_phase(graph, node, RUNNING, "")
        graph.wake(graph.frames[node.id])
    else:
        set_phase(graph, node, PENDING, "")
        launch(graph, node)


def _annotated(graph: Graph, event: Annotated) -> None:
    """Change an annotation, and examine the tasks that may depend on it."""
    name = f"workflow.annotations.{event.key}"
    if graph.variables.get(name) == event.value:
        return
    graph.variables[name] = event.value
    graph.variables_version += 1
    for frame in graph.frames.values():
        if isinstance(frame, DagFrame) and frame.ready:
            frame.recheck = True
            graph.wake(frame)


def shut_down(graph: Graph, strategy: str) -> None:
    """End the run: pods are stopped, waiting tasks do not run, and every DAG fails."""
    root = graph.root
    if root is None or root.fulfilled or root.stopped_by:
        return
    graph.shutdown = strategy
    root.stopped_by = strategy
    graph.dirty.add(root.id)
    # A copy, because nodes that settle leave `owners`.
    for key in list(graph.owners):
        _shut_down_node(graph, graph.nodes[key])
    # The innermost frames come first: a DAG fails after everything in it has ended.
    frames = sorted(graph.frames.values(), key=lambda frame: -frame.node.sequence)
    for frame in frames:
        if frame.node.id in graph.frames:
            graph.advance(frame)


def _shut_down_node(graph: Graph, node: Node) -> None:
    if node.id in graph.live and node.phase not in FINAL:
        # Argo writes two spaces here.
        message = f"workflow shutdown with strategy:  {graph.shutdown}"
        set_phase(graph, node, FAILED, message)
        graph.stop_pod(node, "shutdown")
    elif node.waiting:
        set_phase(graph, node, FAILED, stopped_message(graph))
    graph.settle(node)


def _shutdown(graph: Graph, event: Shutdown) -> None:
    shut_down(graph, event.strategy)


def _delete_pods(graph: Graph, event: DeletePods) -> None:
    delete_pods(graph, label_selectors.parse(event.selector))


def _timers_due(graph: Graph, event: Tick) -> None:  # noqa: ARG001
    """Start attempts whose backoff is over; fail pods that were pending too long."""
    while graph.timers and graph.timers[0][0] <= graph.now:
        _, key = heapq.heappop(graph.timers)
        _timer_due(graph, graph.nodes[key])


def _timer_due(graph: Graph, node: Node) -> None:
    is_retry_group = node.type == RETRY and node.id in graph.frames
    if is_retry_group and not node.waiting:
        graph.wake(graph.frames[node.id])
        return
    if node.phase != PENDING:
        return
    set_phase(graph, node, FAILED, "timeout")
    if node.id in graph.live:
        graph.stop_pod(node, "timeout")
    graph.settle(node)


def needs_timer(node: Node) -> bool:
    """Tell whether a timer of a node still matters."""
    if node.phase == PENDING:
        return True
    return node.type == RETRY and node.phase not in FINAL


# Each function takes the event type under which it is listed, which a mapping's type
# cannot express.
_POD_HANDLERS: Final[Mapping[type[PodEvent], Callable[..., None]]] = {
    PodPending: _pod_pending,
    PodStarted: _pod_started,
    PodReturned: _pod_returned,
    PodProgressed: _pod_progressed,
    PodEnded: _pod_ended,
}
_HANDLERS: Final[Mapping[type[Event], Callable[..., None]]] = {
    LockGranted: _locks_granted,
    Annotated: _annotated,
    Shutdown: _shutdown,
    DeletePods: _delete_pods,
    Tick: _timers_due,
}
