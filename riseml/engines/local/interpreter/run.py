"""Interpreter of a Workflow: it applies events, and returns actions for the shell.

    WorkflowRun(document, uid).start(now) ─▶ actions   the shell starts pods
    WorkflowRun.apply(event, now)         ─▶ actions   it reports what happens to them
    WorkflowRun.restore(document, uid, nodes).resume(now)   after a restart
    WorkflowRun.status(), WorkflowRun.node_status(key)      as Argo's API returns it

    run ─▶ event_handlers ─▶ dag ─▶ retries_and_pods ─▶ hooks ─▶ graph

The shell saves the nodes that `dirty` names after every event. A run continues from
these alone. The interpreter is pure: it uses no file, clock or process. Its semantics
are those of Argo 4.1, except where Argo never ends a run or exceeds a limit:

* A retry group keeps its slot in `parallelism` while it waits for another attempt.
* A pod that is deleted before it runs is not created again.
* A daemon that is released stays Succeeded however it ends, except at a shutdown.
"""

import heapq
from collections.abc import Iterable, Mapping
from typing import Any, Final

from riseml.engines.local.interpreter import (
    dag,
    event_handlers,
    restore,
    retries_and_pods,
    status,
)
from riseml.engines.local.interpreter.events import Acquire, Action, Event
from riseml.engines.local.interpreter.graph import AdvanceFunctions, Graph
from riseml.engines.local.interpreter.node import FINAL, SUCCEEDED, Node
from riseml.engines.local.interpreter.progress import (
    CallSite,
    DagFrame,
    GroupFrame,
    RetryFrame,
)

_ADVANCE_FUNCTIONS: Final[AdvanceFunctions] = {
    DagFrame: dag.advance,
    GroupFrame: dag.advance_group,
    RetryFrame: retries_and_pods.advance,
}


class WorkflowRun:
    """One Workflow and its progress; `validate.check` has accepted the document."""

    def __init__(self, document: Mapping[str, Any], uid: str) -> None:
        self.graph = Graph(document, uid, _ADVANCE_FUNCTIONS)

    @classmethod
    def restore(
        cls, document: Mapping[str, Any], uid: str, nodes: Iterable[Node]
    ) -> "WorkflowRun":
        """Return the run whose nodes were saved after some event.

        `document` holds the current annotations.
        """
        run = cls(document, uid)
        restore.restore(run.graph, nodes)
        return run

    @property
    def document(self) -> Mapping[str, Any]:
        """The Workflow."""
        return self.graph.document

    @property
    def name(self) -> str:
        """The name of the Workflow."""
        return self.graph.name

    @property
    def nodes(self) -> dict[str, Node]:
        """The nodes by id, in the order of their creation."""
        return self.graph.nodes

    @property
    def dirty(self) -> set[str]:
        """Ids of changed nodes; the shell saves the nodes and clears the set."""
        return self.graph.dirty

    @property
    def root(self) -> Node | None:
        """The node of the entrypoint, once the run has started."""
        return self.graph.root

    @property
    def ended(self) -> bool:
        """Whether the Workflow is complete; daemons may still be stopping."""
        return self.graph.ended

    def start(self, now: float) -> list[Action]:
        """Call the entrypoint with the Workflow's arguments."""
        graph = self.graph
        graph.now = now
        program = graph.program
        site = CallSite(graph.name, None, None)
        # A Workflow may be told to stop before it starts; then no pod starts.
        graph.shutdown = graph.document["spec"].get("shutdown", "")
        root = retries_and_pods.call(graph, site, program.entrypoint, program.arguments)
        root.stopped_by = graph.shutdown
        graph.settle(root)
        return self._take_actions()

    def resume(self, now: float) -> list[Action]:
        """Continue after `restore`.

        Every pod that was started and has not ended is requested again, and `started`
        says whether its container had started. The shell adopts the pods that it finds.
        """
        graph = self.graph
        graph.now = now
        if not graph.nodes:
            return self.start(now)
        # Locks come first, because a pod that was running holds its locks already.
        self._request_locks()
        for key in graph.live:
            node = graph.nodes[key]
            graph.actions.append(retries_and_pods.start_action(graph, node))
            if node.stopped_by:
                graph.stop_pod(node, "deleted")
            elif node.phase in FINAL:
                graph.stop_pod(node, "shutdown")
        for key in graph.owners:
            retries_and_pods.limit_pending_time(graph, graph.nodes[key])
        for frame in graph.frames.values():
            graph.wake(frame)
        strategy = graph.document["spec"].get("shutdown")
        if strategy:
            event_handlers.shut_down(graph, strategy)
        return self._take_actions()

    def _request_locks(self) -> None:
        """Request the locks of all nodes: first those held, then those waited for."""
        graph = self.graph
        nodes = [graph.nodes[key] for key in graph.owners]
        for node in sorted(nodes, key=lambda node: bool(node.waiting)):
            locks = graph.locks_of(node)
            if locks:
                graph.actions.append(Acquire(node.id, locks, held=not node.waiting))

    def apply(self, event: Event, now: float) -> list[Action]:
        """Apply an event. An event about an unknown or ended pod changes nothing."""
        graph = self.graph
        graph.now = max(now, graph.now)
        event_handlers.handle(graph, event)
        return self._take_actions()

    def next_tick(self) -> float | None:
        """Return when a Tick is due: for another attempt, or for a pending pod."""
        timers = self.graph.timers
        while timers:
            due, key = timers[0]
            if event_handlers.needs_timer(self.graph.nodes[key]):
                return due
            heapq.heappop(timers)
        return None

    def status(self) -> dict[str, Any]:
        """Return the `.status` of the Workflow."""
        return status.status(self.graph)

    def summary(self) -> dict[str, Any]:
        """Return the `.status` of the Workflow without its nodes."""
        return status.summary(self.graph)

    def complete_node_status(self, key: str) -> dict[str, Any]:
        """Return one entry of `.status.nodes`; all nodes below it affect the cost."""
        return status.complete_node_status(self.graph, self.graph.nodes[key])

    def node_status(self, key: str) -> dict[str, Any]:
        """Return one entry of `.status.nodes`; only its children affect the cost."""
        return status.node_status(self.graph, self.graph.nodes[key])

    def _take_actions(self) -> list[Action]:
        """Do everything that an event has made possible, and return the actions."""
        graph = self.graph
        graph.advance_woken()
        if self._is_complete():
            self._end()
        # The shell keeps the list, so the next event gets a new one.
        actions = graph.actions
        graph.actions = []
        return actions

    def _is_complete(self) -> bool:
        """Tell whether everything has ended that the end of the Workflow must wait for."""
        graph = self.graph
        root = graph.root
        if root is None or not root.fulfilled:
            return False
        if graph.shutdown:
            return not graph.live
        # Daemons that were released are Succeeded while they stop. As in Argo, the run
        # waits for them only at a shutdown.
        return all(graph.nodes[key].phase == SUCCEEDED for key in graph.live)

    def _end(self) -> None:
        root = self.graph.nodes[self.graph.name]
        if root.ended_at is None:
            root.ended_at = self.graph.now
            self.graph.dirty.add(root.id)
