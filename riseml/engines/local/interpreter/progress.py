"""What an unfinished part of a run has in hand; rebuilt from the nodes after a restart, dropped when the part is done.

DagFrame     the tasks of one DAG node: which are done, which may start when there is a place
GroupFrame   the items of a withItems task: how far it has come
RetryFrame   the attempts of a template with a retryStrategy
"""

from bisect import insort
from collections.abc import Mapping
from typing import Any, NamedTuple

from riseml.engines.local.interpreter.node import FAILED, SUCCEEDED, UNSUCCESSFUL, Node
from riseml.engines.local.interpreter.rules import Outcome
from riseml.engines.local.interpreter.templates import Dag, Task, Template

Arguments = tuple[tuple[str, str | None], ...]


class Frame:
    """A node with parts, its template, and the frame that waits for it."""

    __slots__ = ("node", "owner", "queued", "template")

    def __init__(self, node: Node, template: Template, owner: "Frame | None") -> None:
        self.node, self.template, self.owner = node, template, owner
        self.queued = False

    def settled(self, child: Node, part: "Frame | None") -> None:
        """Hear that `child` is fulfilled; `part` is its own frame."""

    @property
    def outcome(self) -> Outcome:
        """What its node has come to."""
        return Outcome(self.node.phase)


class CallSite(NamedTuple):
    """Where a node belongs: its name, the DAG around it, who waits for it, and the nodes that list it as a child."""

    name: str
    dag: "DagFrame | None"
    owner: Frame | None
    parents: tuple[str, ...] = ()


class DagFrame(Frame):
    """A DAG in progress.

    `tasks` holds the nodes made so far, `outcomes` what the done ones have come to, `ready` the places of tasks whose
    needs are done, `missing` how many needs of the others are not. `active` counts children that are Pending or
    Running; a retry group counts as one child as long as it is not done, so that waiting for another attempt keeps its
    place. `recheck` asks to look at every ready task again, not only at the first.
    """

    __slots__ = (
        "active",
        "daemons",
        "dag",
        "failures",
        "known",
        "missing",
        "outcomes",
        "parents",
        "ready",
        "recheck",
        "tasks",
    )

    def __init__(
        self,
        node: Node,
        template: Template,
        dag: Dag,
        owner: Frame | None,
        known: Mapping[str, str],
    ) -> None:
        super().__init__(node, template, owner)
        self.dag, self.known = dag, known
        self.tasks: dict[str, Node] = {}
        self.outcomes: dict[str, Outcome] = {}
        self.missing = {task.name: len(task.needs) for task in dag.order if task.needs}
        self.ready = [task.position for task in dag.order if not task.needs]
        self.recheck = True
        self.active = self.failures = 0
        self.daemons: set[str] = set()
        # Of tasks that wait for a place
        self.parents: dict[str, tuple[str, ...]] = {}

    @property
    def done(self) -> bool:
        """Whether every task is."""
        return len(self.outcomes) == len(self.dag.order)

    def task_of(self, node: Node) -> Task | None:
        """Return the task whose node this is; None for an attempt, an item, a hook."""
        return self.dag.tasks.get(node.name[len(self.node.name) + 1 :])

    def enter(self, node: Node) -> None:
        """Take in a node that was made for one of the tasks."""
        if task := self.task_of(node):
            self.tasks[task.name] = node

    def amend(self, child: Node) -> None:
        """Note that a daemon, whose task was done when it became ready, has ended."""
        if (task := self.task_of(child)) and task.name in self.outcomes:
            self.outcomes[task.name] = Outcome(child.phase, child.daemoned)

    def settled(self, child: Node, part: Frame | None) -> None:
        """Note what a task has come to, and which others may go on."""
        if task := self.task_of(child):
            self.note(
                task, part.outcome if part else Outcome(child.phase, child.daemoned)
            )

    def note(self, task: Task, outcome: Outcome) -> None:
        """Note what `task` has come to, and which others may go on."""
        self.outcomes[task.name] = outcome
        for name in self.dag.dependents[task.name]:
            self.missing[name] -= 1
            if not self.missing[name]:
                insort(self.ready, self.dag.tasks[name].position)
                self.recheck = True


class GroupFrame(Frame):
    """A withItems task in progress: `upcoming` is the first item without a node, `open` counts those not done."""

    __slots__ = (
        "all_failed",
        "any_succeeded",
        "failure",
        "open",
        "prepared",
        "task",
        "upcoming",
        "version",
    )

    def __init__(
        self, node: Node, template: Template, dag: DagFrame | None, task: Task
    ) -> None:
        super().__init__(node, template, dag)
        self.task = task
        self.upcoming = self.open = 0
        self.any_succeeded, self.all_failed = False, True
        # Of the last item that failed
        self.failure: tuple[int, str] = (-1, SUCCEEDED)
        self.prepared: tuple[str, Arguments] = ("", ())
        self.version = -1

    @property
    def exhausted(self) -> bool:
        """Whether every item has its node."""
        # What makes it a group
        assert self.task.items is not None  # noqa: S101
        return self.upcoming == len(self.task.items)

    @property
    def outcome(self) -> Outcome:
        """What the items have come to."""
        return Outcome(
            self.node.phase,
            any_succeeded=self.any_succeeded,
            all_failed=self.all_failed,
        )

    def settled(self, child: Node, part: Frame | None) -> None:  # noqa: ARG002
        """Note what an item has come to."""
        self.open -= 1
        self.count(child)

    @property
    def item(self) -> Any:
        """The next item without a node."""
        # What makes it a group
        assert self.task.items is not None  # noqa: S101
        return self.task.items[self.upcoming]

    def count(self, child: Node) -> None:
        """Take an item that is done into the group's outcome."""
        self.any_succeeded |= child.phase == SUCCEEDED
        self.all_failed &= child.phase == FAILED
        if child.phase in UNSUCCESSFUL:
            self.failure = max(self.failure, (self.index(child), child.phase))

    def index(self, child: Node) -> int:
        """Return the place of an item's node."""
        return int(child.name[len(self.node.name) + 1 :].partition(":")[0])


class RetryFrame(Frame):
    """A retry group in progress, with the nodes of its attempts."""

    __slots__ = ("attempts", "dag")

    def __init__(
        self, node: Node, template: Template, dag: DagFrame | None, owner: Frame | None
    ) -> None:
        super().__init__(node, template, owner)
        self.dag = dag
        self.attempts: list[Node] = []
