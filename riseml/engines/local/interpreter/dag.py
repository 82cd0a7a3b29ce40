"""How the nodes of a run come to be, go on and end, one piece of work at a time.

    event ─▶ mark, settle ─▶ the frame that waits for the node is woken ─▶ drain: every woken frame advances

A frame advances by asking `decisions` what may happen now. Nothing here looks at more than what an event touches, so
the number of nodes does not matter for the cost of an event.
"""

from collections.abc import Callable
from typing import Final

from riseml.engines.local.interpreter import variables
from riseml.engines.local.interpreter.expressions import condition
from riseml.engines.local.interpreter.node import (
    ERROR,
    FAILED,
    OMITTED,
    RUNNING,
    SKIPPED,
    SKIPPED_TYPE,
    SUCCEEDED,
    TASK_GROUP,
    Node,
    completed,
)
from riseml.engines.local.interpreter.progress import (
    Arguments,
    CallSite,
    DagFrame,
    Frame,
    GroupFrame,
)
from riseml.engines.local.interpreter.retries_and_pods import FAULTS, Calls
from riseml.engines.local.interpreter.rules import (
    OMITTED_BECAUSE,
    Verdict,
    dag_phase,
    may_start,
)
from riseml.engines.local.interpreter.tags import item_name, item_values
from riseml.engines.local.interpreter.templates import Task
from riseml.engines.local.interpreter.variables import lookup, resolve

_FAIL_FAST: Final = "template has failed or errored children and failFast enabled"


class Execution(Calls):
    """A run in progress."""

    def drain(self) -> None:
        """Work until nothing more can happen without news."""
        while self.work:
            frame = self.work.popleft()
            frame.queued = False
            if frame.node.id in self.frames:
                self.advance(frame)

    def advance(self, frame: Frame) -> None:
        """Let a frame do what it may do now."""
        if isinstance(frame, DagFrame):
            self._advance_dag(frame)
        elif isinstance(frame, GroupFrame):
            self._finish_group(frame)
        else:
            super().advance(frame)

    # A DAG: start what may start, in order

    def _advance_dag(self, frame: DagFrame) -> None:
        if frame.template.fail_fast and frame.failures:
            if not any(self.nodes[pod].boundary == frame.node.id for pod in self.live):
                self._finish_dag(frame, FAILED, _FAIL_FAST)
            return
        place = 0
        everything = bool(self.strategy)
        while place < len(frame.ready):
            everything, frame.recheck = everything or frame.recheck, False
            if self._begin(frame, frame.dag.order[frame.ready[place]]):
                del frame.ready[place]
            elif everything:
                place += 1
            else:
                break
        if self.strategy:
            self._finish_dag(frame, FAILED)
        elif frame.done and not any(
            self.nodes[key].stopped_by and key in self.live for key in frame.daemons
        ):
            self._finish_dag(
                frame,
                dag_phase(
                    frame.dag, {name: node.phase for name, node in frame.tasks.items()}
                ),
            )

    def _finish_dag(
        self, frame: DagFrame, phase: str, message: str | None = None
    ) -> None:
        self.mark(frame.node, phase, message)
        self.settle(frame.node)
        for daemon in map(self.nodes.__getitem__, frame.daemons):
            if daemon.daemoned:
                self._let_go(daemon)

    def _let_go(self, daemon: Node) -> None:
        """End a daemon whose DAG is done; one that was deleted before is Succeeded, too."""
        daemon.daemoned = False
        daemon.progress = completed(daemon.progress)
        self.mark(daemon, SUCCEEDED)
        if daemon.id in self.live:
            self.stop(daemon, "daemon")

    def _begin(self, frame: DagFrame, task: Task) -> bool:
        """Start a task whose needs are done; False where it, or an item of it, has no place."""
        if task.items is not None:
            return self._begin_items(frame, task)
        place = CallSite(
            f"{frame.node.name}.{task.name}", frame, frame, self.parents(frame, task)
        )
        node = self._start(
            place,
            task,
            frame,
            lambda: self._when(frame, task),
            lambda: self._arguments(frame, task),
        )
        if node is not None:
            self.settle(node)
        return node is not None

    def _start(
        self,
        place: CallSite,
        task: Task,
        frame: DagFrame,
        when: Callable[[], str],
        arguments: Callable[[], Arguments],
    ) -> Node | None:
        """Make the node of a task, or of an item, as its conditions say; None where it has no place yet."""
        try:
            verdict = self._verdict(frame, task, lambda: _holds(when()))
            if verdict is Verdict.START:
                return self.call(place, task.template, arguments())
        except FAULTS as fault:
            return self._skip(place, task, ERROR, str(fault))
        if verdict is Verdict.OMIT:
            return self._skip(place, task, OMITTED, OMITTED_BECAUSE)
        if verdict is Verdict.SKIP:
            return self._skip(place, task, SKIPPED, f"when '{when()}' evaluated false")
        return None

    def _skip(self, place: CallSite, task: Task, phase: str, message: str) -> Node:
        return self.make(place, SKIPPED_TYPE, task.template, phase, message=message)

    def _verdict(
        self, frame: DagFrame, task: Task, proceeds: Callable[[], bool]
    ) -> Verdict:
        places = (
            None if self.strategy else frame.template.parallelism
        )  # what is shut down leaves its place at once
        return may_start(task, frame.outcomes, proceeds, frame.active, places)

    def _when(self, frame: DagFrame, task: Task) -> str:
        """Return a task's `when`, all tags filled but those of an item."""
        return resolve(task.when, self.scope(frame))

    def _arguments(self, frame: DagFrame, task: Task) -> Arguments:
        """Return a task's arguments, all tags filled but those of an item."""
        return variables.task_arguments(task.arguments, self.scope(frame), frame)

    # Items of one task

    def _begin_items(self, frame: DagFrame, task: Task) -> bool:
        group = self._group(frame, task)
        while group is not None and not group.exhausted:
            if not self._begin_item(frame, group):
                return False
        return True

    def _group(self, frame: DagFrame, task: Task) -> GroupFrame | None:
        """Return the group of a task, made when it first may start; None where it is omitted instead."""
        if node := frame.tasks.get(task.name):
            group = self.frames[node.id]
            # Its type says so
            assert isinstance(group, GroupFrame)  # noqa: S101
            return group
        place = CallSite(
            f"{frame.node.name}.{task.name}", frame, frame, self.parents(frame, task)
        )
        try:
            omitted = self._verdict(frame, task, lambda: True) is Verdict.OMIT
            prepared = (
                None
                if omitted
                else (self._when(frame, task), self._arguments(frame, task))
            )
        except FAULTS as fault:
            self.settle(self._skip(place, task, ERROR, str(fault)))
            return None
        if prepared is None:
            self.settle(self._skip(place, task, OMITTED, OMITTED_BECAUSE))
            return None
        node = self.make(place, TASK_GROUP, task.template, RUNNING)
        group = self.frames[node.id] = GroupFrame(
            node, self.program.templates[task.template], frame, task
        )
        group.prepared, group.version = prepared, self.version
        self.react(node, frame)
        return group

    def _begin_item(self, frame: DagFrame, group: GroupFrame) -> bool:
        """Start the next item of a group; False where it has no place."""
        task, item = group.task, group.item
        look = lookup(item_values(item), self.values)
        if group.version != self.version:
            group.prepared = self._when(frame, task), self._arguments(frame, task)
            group.version = self.version
        when, arguments = group.prepared

        def filled() -> Arguments:
            return tuple(
                (name, None if value is None else resolve(value, look))
                for name, value in arguments
            )

        name = f"{frame.node.name}.{item_name(task.name, group.upcoming, item)}"
        place = CallSite(name, frame, group, (group.node.id,))
        node = self._start(place, task, frame, lambda: resolve(when, look), filled)
        if node is None:
            return False
        group.upcoming += 1
        group.open += 1
        self.settle(node)
        self.wake(group)
        return True

    def _finish_group(self, group: GroupFrame) -> None:
        if group.exhausted and not group.open:
            self.mark(group.node, group.failure[1])
            self.settle(group.node)


def _holds(when: str) -> bool:
    return not when or condition(when)({})
