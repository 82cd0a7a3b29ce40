"""Frames: the state of unfinished nodes, rebuilt from the nodes after a restart.

DagFrame     the tasks of one DAG node: which are done, which may start
GroupFrame   the items of a withItems or withParam task: how many have been started
RetryFrame   the attempts of a template with a retryStrategy
"""

from bisect import insort
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from riseml.engines.local.interpreter.node import FAILED, SUCCEEDED, UNSUCCESSFUL, Node
from riseml.engines.local.interpreter.rules import Outcome
from riseml.engines.local.interpreter.templates import Dag, RetryRule, Task, Template

Arguments = tuple[tuple[str, str | None], ...]
"""Names and values of arguments; None for the output of a task that did not run."""


class Frame:
    """An unfinished node with its template and the frame that waits for it."""

    __slots__ = ("node", "owner", "queued", "template")

    def __init__(self, node: Node, template: Template, owner: "Frame | None") -> None:
        self.node = node
        self.template = template
        self.owner = owner
        self.queued = False

    def child_settled(self, child: Node, child_frame: "Frame | None") -> None:
        """Record that `child` is fulfilled; `child_frame` is the child's own frame."""

    def child_restored(self, child: Node) -> None:
        """Count a child that was created before a restart."""

    @property
    def outcome(self) -> Outcome:
        """The outcome of its node."""
        return Outcome(self.node.phase)


class CallSite(NamedTuple):
    """The position of a node: its name, DAG, owner and parents."""

    name: str
    # None for the root.
    dag: "DagFrame | None"
    # None for the root and for hooks.
    owner: Frame | None
    # Ids of the nodes that list it as a child.
    parents: tuple[str, ...] = ()


class DagFrame(Frame):
    """A DAG in progress.

    Attributes:
        tasks: The nodes created so far, by task.
        outcomes: The outcomes of the tasks that are done.
        ready: The positions of unstarted tasks whose needs are done, in order.
        open_needs: How many needs of the other tasks are not done.
        active: How many children are Pending or Running. A retry group counts as one
            child until it is done, so it keeps its slot between two attempts.
        recheck: Whether every ready task must be examined, not only the first.
        parents: The parents of tasks that wait for a slot.
    """

    __slots__ = (
        "active",
        "daemons",
        "dag",
        "failures",
        "node_variables",
        "open_needs",
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
        node_variables: Mapping[str, str],
    ) -> None:
        super().__init__(node, template, owner)
        self.dag = dag
        self.node_variables = node_variables
        self.tasks: dict[str, Node] = {}
        self.outcomes: dict[str, Outcome] = {}
        self.open_needs: dict[str, int] = {}
        self.ready: list[int] = []
        for task in dag.order:
            if task.needs:
                self.open_needs[task.name] = len(task.needs)
            else:
                self.ready.append(task.position)
        self.recheck = True
        self.active = 0
        self.failures = 0
        self.daemons: set[str] = set()
        self.parents: dict[str, tuple[str, ...]] = {}

    @property
    def done(self) -> bool:
        """Whether every task is done."""
        return len(self.outcomes) == len(self.dag.order)

    def task_of(self, node: Node) -> Task | None:
        """Return the task of a node; None for an attempt, an item or a hook."""
        return self.dag.tasks.get(node.name[len(self.node.name) + 1 :])

    def enter(self, node: Node) -> None:
        """Record a node that was created in the DAG."""
        task = self.task_of(node)
        if task is not None:
            self.tasks[task.name] = node
        if node.active and node.occupies_slot:
            self.active += 1

    def amend(self, child: Node) -> None:
        """Correct the outcome of a daemon after its end."""
        task = self.task_of(child)
        if task is not None and task.name in self.outcomes:
            self.outcomes[task.name] = Outcome(child.phase, child.daemoned)

    def child_settled(self, child: Node, child_frame: Frame | None) -> None:
        """Record the outcome of a task, if the child is one."""
        task = self.task_of(child)
        if task is None:
            return
        outcome = Outcome(child.phase, child.daemoned)
        if child_frame is not None:
            outcome = child_frame.outcome
        self.record(task, outcome)

    def record(self, task: Task, outcome: Outcome) -> None:
        """Record the outcome of `task`; add the tasks that waited for it to `ready`."""
        self.outcomes[task.name] = outcome
        for name in self.dag.dependents[task.name]:
            self.open_needs[name] -= 1
            if self.open_needs[name] == 0:
                insort(self.ready, self.dag.tasks[name].position)
                self.recheck = True


class GroupFrame(Frame):
    """A withItems or withParam task in progress.

    Attributes:
        next_index: The index of the first item that has no node.
        unsettled: How many nodes of items are not done.
        last_failure: Index and phase of the last item that failed.
        when: The task's `when`; all tags are replaced except those of an item.
        arguments: The task's arguments, treated like `when`.
        variables_version: The version of the graph's variables used for both.
    """

    __slots__ = (
        "all_failed",
        "any_succeeded",
        "arguments",
        "items",
        "last_failure",
        "next_index",
        "task",
        "unsettled",
        "variables_version",
        "when",
    )

    def __init__(
        self,
        node: Node,
        template: Template,
        dag: DagFrame | None,
        task: Task,
        items: Sequence[Any],
    ) -> None:
        super().__init__(node, template, dag)
        self.task = task
        self.items = items
        self.next_index = 0
        self.unsettled = 0
        self.any_succeeded = False
        self.all_failed = True
        self.last_failure: tuple[int, str] = (-1, SUCCEEDED)
        self.when = ""
        self.arguments: Arguments = ()
        self.variables_version = -1

    @property
    def exhausted(self) -> bool:
        """Whether every item has its node."""
        return self.next_index == len(self.items)

    @property
    def next_item(self) -> Any:
        """The first item that has no node."""
        return self.items[self.next_index]

    @property
    def outcome(self) -> Outcome:
        """The outcome of all items."""
        return Outcome(
            self.node.phase,
            any_succeeded=self.any_succeeded,
            all_failed=self.all_failed,
        )

    def child_settled(self, child: Node, child_frame: Frame | None) -> None:  # noqa: ARG002
        """Record the outcome of an item."""
        self.unsettled -= 1
        self.count(child)

    def child_restored(self, child: Node) -> None:
        """Count an item that has its node already."""
        self.next_index += 1
        if child.fulfilled:
            self.count(child)
        else:
            self.unsettled += 1

    def count(self, child: Node) -> None:
        """Include an item that is done in the outcome of the group."""
        self.any_succeeded |= child.phase == SUCCEEDED
        self.all_failed &= child.phase == FAILED
        if child.phase in UNSUCCESSFUL:
            self.last_failure = max(self.last_failure, (self.index(child), child.phase))

    def index(self, child: Node) -> int:
        """Return the index of an item's node."""
        return int(child.name[len(self.node.name) + 1 :].partition(":")[0])


class RetryFrame(Frame):
    """A retry group in progress, with the nodes of its attempts."""

    __slots__ = ("attempts", "dag", "rule")

    def __init__(
        self,
        node: Node,
        template: Template,
        rule: RetryRule,
        dag: DagFrame | None,
        owner: Frame | None,
    ) -> None:
        super().__init__(node, template, owner)
        self.rule = rule
        self.dag = dag
        self.attempts: list[Node] = []

    def child_restored(self, child: Node) -> None:
        """Add an attempt."""
        self.attempts.append(child)
