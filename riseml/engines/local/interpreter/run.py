"""The interpreter of the local engine: a Workflow in, orders to the shell out, and a `.status` as Argo would give it.

    WorkflowRun(document, uid).start(now) ─▶ actions        the shell launches pods, and tells what becomes of them
    WorkflowRun.apply(event, now)         ─▶ actions        nodes that changed are in `dirty`, for the shell to keep
    WorkflowRun.restore(document, uid, nodes).resume(now)   goes on after a restart, from the kept nodes alone
    WorkflowRun.status(now), WorkflowRun.node_status(node)   what Argo's API would show

It is pure: no file, no clock, no process. The semantics are those of Argo 4.1, except where Argo leaves a run hanging
or exceeds a limit: a retry group keeps its place in `parallelism` while it waits for another attempt, a pod that was
deleted before it ran is not made anew, and a daemon that was let go stays Succeeded however it ends, but at a shutdown.
"""

import heapq
from collections.abc import Iterable, Mapping
from typing import Any

from riseml.engines.local.interpreter import pod_outcome, restore, status
from riseml.engines.local.interpreter.dag import Execution
from riseml.engines.local.interpreter.events import (
    Acquire,
    Action,
    Annotated,
    DeletePods,
    Event,
    LockGranted,
    PodEnded,
    PodPending,
    PodProgressed,
    PodStarted,
    Shutdown,
    Tick,
)
from riseml.engines.local.interpreter.label_selectors import parse
from riseml.engines.local.interpreter.node import (
    FAILED,
    FINAL,
    PENDING,
    RETRY,
    RUNNING,
    SUCCEEDED,
    Node,
)
from riseml.engines.local.interpreter.progress import CallSite, DagFrame


class WorkflowRun(Execution):
    """One Workflow and how far it has come. `support.check` must have accepted the document."""

    @classmethod
    def restore(
        cls, document: Mapping[str, Any], uid: str, nodes: Iterable[Node]
    ) -> "WorkflowRun":
        """Return the run whose nodes were kept after some event; `document` holds the annotations of now."""
        run = cls(document, uid)
        restore.take_up(run, nodes)
        return run

    @property
    def root(self) -> Node | None:
        """The node of the entrypoint, once the run has started."""
        return self.nodes.get(self.name)

    @property
    def ended(self) -> bool:
        """Whether the Workflow is complete; daemons that were told to end may still be about."""
        root = self.root
        return root is not None and root.fulfilled and root.ended_at is not None

    def start(self, now: float) -> list[Action]:
        """Begin: the entrypoint is called with the Workflow's arguments."""
        self.now = now
        self.settle(
            self.call(
                CallSite(self.name, None, None),
                self.program.entrypoint,
                self.program.arguments,
            )
        )
        return self._done()

    def resume(self, now: float) -> list[Action]:
        """Go on after `restore`.

        Every pod that was asked for and has not ended is asked for again, `started` saying whether it had begun: the
        shell takes up those it finds. Locks that nodes hold come before those that are waited for.
        """
        self.now = now
        if not self.nodes:
            return self.start(now)
        for node in sorted(
            (self.nodes[key] for key in self.owners),
            key=lambda node: bool(node.waiting),
        ):
            if locks := self.locks(node):
                self.actions.append(Acquire(node.id, locks, held=not node.waiting))
        for node in [self.nodes[pod] for pod in self.live]:
            self.actions.append(self.order(node))
            if node.phase in FINAL or node.stopped_by:
                self.stop(node, "deleted" if node.stopped_by else "shutdown")
        for key in self.owners:
            self.watch(self.nodes[key])
        for frame in self.frames.values():
            self.wake(frame)
        if strategy := self.document["spec"].get("shutdown"):
            self._shut_down(strategy)
        return self._done()

    def apply(self, event: Event, now: float) -> list[Action]:
        """Take in what has happened; events about unknown or ended pods change nothing."""
        self.now = max(now, self.now)
        match event:
            case PodPending(node, message):
                self._pending(node, message)
            case PodStarted(node, at):
                self._started(node, at)
            case PodProgressed(node, progress):
                self._progressed(node, progress)
            case PodEnded():
                self._ended(event)
            case LockGranted(node):
                self._granted(node)
            case Annotated(key, value):
                self._annotated(key, value)
            case Shutdown(strategy):
                self._shut_down(strategy)
            case DeletePods(selector):
                self.delete_pods(parse(selector))
            case Tick():
                self._tick()
        return self._done()

    def next_tick(self) -> float | None:
        """Return when a Tick is wanted: another attempt is due, or a pod has been pending too long."""
        while self.timers and not self._due(self.nodes[self.timers[0][1]]):
            heapq.heappop(self.timers)
        return self.timers[0][0] if self.timers else None

    def status(self, now: float) -> dict[str, Any]:
        """Return the `.status` of the Workflow."""
        return status.status(self, now)

    def node_status(self, node: str) -> dict[str, Any]:
        """Return one entry of `.status.nodes`; costs what the node has children."""
        return status.node_status(self, self.nodes[node])

    def _done(self) -> list[Action]:
        self.drain()
        root = self.root
        # Daemons that were let go are Succeeded while they end; Argo waits for them at a shutdown only.
        let_go = not self.strategy and all(
            self.nodes[pod].phase == SUCCEEDED for pod in self.live
        )
        if (
            root is not None
            and root.fulfilled
            and root.ended_at is None
            and (let_go or not self.live)
        ):
            root.ended_at = self.now
            self.dirty.add(root.id)
        actions, self.actions = self.actions, []
        return actions

    def _of(self, key: str) -> Node | None:
        """Return the node of a pod that the shell has in hand."""
        return self.nodes[key] if key in self.live else None

    def _pending(self, key: str, message: str) -> None:
        if (
            (node := self._of(key))
            and node.phase == PENDING
            and node.message != message
        ):
            node.message = message
            self.dirty.add(key)

    def _started(self, key: str, at: float | None) -> None:
        node = self._of(key)
        if node is None or node.phase != PENDING:
            return
        node.running_at = self._moment(node.started_at, at)
        self.mark(node, RUNNING, "")
        if self.template(node).daemon:
            node.daemoned = True
            dag = self.frames.get(node.boundary)
            if isinstance(dag, DagFrame):
                dag.daemons.add(key)
            self.settle(node)

    def _moment(self, earliest: float, at: float | None) -> float:
        """Return when something happened that the shell tells now: not before what it followed, and not to come."""
        return self.now if at is None else min(max(at, earliest), self.now)

    def _progressed(self, key: str, progress: str) -> None:
        if (
            (node := self._of(key))
            and status.PROGRESS.fullmatch(progress)
            and node.progress != progress
        ):
            node.progress = progress
            self.dirty.add(key)

    def _ended(self, event: PodEnded) -> None:
        node = self._of(event.node)
        if node is None:
            return
        template = self.template(node)
        del self.live[node.id]
        node.ended_at = self._moment(node.running_at or node.started_at, event.at)
        if node.finished_at is None or (
            node.daemoned and not node.stopped_by and node.phase not in FINAL
        ):
            node.finished_at = (
                node.ended_at
            )  # of a daemon it was the time when it had become ready
        self.dirty.add(node.id)
        if node.phase not in FINAL:
            node.daemoned = node.daemoned and bool(
                node.stopped_by
            )  # Argo forgets to note it of a deleted one
            pod_outcome.record(node, event, template)
            self.mark(node, *pod_outcome.verdict(node, event, template))
        elif self.strategy and node.running_at is not None:
            # What was shut down while it ran shows how it really ended: it may have saved its work and succeeded.
            pod_outcome.record(node, event, template)
            phase, message = pod_outcome.verdict(node, event, template)
            self.mark(node, phase, message or None)
        if isinstance(dag := self.frames.get(node.boundary), DagFrame):
            dag.amend(node)
            self.wake(dag)
        self.settle(node)

    def _granted(self, key: str) -> None:
        node = self.nodes.get(key)
        if node is None or not node.waiting or node.phase in FINAL:
            return
        node.waiting = ""
        self.mark(node, RUNNING if node.type == RETRY else PENDING, "")
        if node.type == RETRY:
            self.wake(self.frames[key])
        else:
            self.launch(node)

    def _annotated(self, key: str, value: str) -> None:
        name = f"workflow.annotations.{key}"
        if self.values.get(name) == value:
            return
        self.values[name] = value
        self.version += 1
        for frame in self.frames.values():
            if isinstance(frame, DagFrame) and frame.ready:
                frame.recheck = True
                self.wake(frame)

    def _shut_down(self, strategy: str) -> None:
        """End everything: pods are stopped, what waits will not run, a DAG fails whatever its tasks have come to."""
        root = self.root
        if root is None or root.fulfilled or root.stopped_by:
            return
        self.strategy = root.stopped_by = strategy
        self.dirty.add(root.id)
        for node in [self.nodes[key] for key in self.owners]:
            if node.id in self.live and node.phase not in FINAL:
                self.mark(node, FAILED, f"workflow shutdown with strategy:  {strategy}")
                self.stop(node, "shutdown")
            elif node.waiting:
                self.mark(node, FAILED, self.stopped)
            self.settle(node)
        for frame in sorted(
            self.frames.values(), key=lambda frame: -frame.node.sequence
        ):
            if frame.node.id in self.frames:
                self.advance(frame)

    def _due(self, node: Node) -> bool:
        """Tell whether a moment to look at `node` still matters."""
        return node.phase == PENDING or (node.type == RETRY and node.phase not in FINAL)

    def _tick(self) -> None:
        while self.timers and self.timers[0][0] <= self.now:
            node = self.nodes[heapq.heappop(self.timers)[1]]
            if node.type == RETRY and not node.waiting and node.id in self.frames:
                self.wake(self.frames[node.id])
            elif node.phase == PENDING:
                self.mark(node, FAILED, "timeout")
                if node.id in self.live:
                    self.stop(node, "timeout")
                self.settle(node)
