"""The nodes of a run, and the bookkeeping that every change of one brings along."""

from collections import deque
from collections.abc import Mapping
from typing import Any, Final

from riseml.engines.local.interpreter.events import Action, Release
from riseml.engines.local.interpreter.node import (
    DAG,
    PENDING,
    POD,
    RETRY,
    RUNNING,
    UNSUCCESSFUL,
    Node,
    Pairs,
    node_id,
)
from riseml.engines.local.interpreter.progress import CallSite, DagFrame, Frame
from riseml.engines.local.interpreter.templates import Program, Template
from riseml.engines.local.interpreter.variables import (
    attempt_of,
    lookup,
    node_values,
    resolve,
    workflow_values,
)

ACTIVE: Final = frozenset({PENDING, RUNNING})
_PLACES: Final = frozenset(
    {POD, DAG, RETRY}
)  # types that count for a template's parallelism


class Ledger:
    """Nodes by id, those that changed since the shell last wrote them, and who waits for whom.

    `frames` holds what is in progress, by the id of its node; `owners` the frame to tell of a node's end; `live` the
    pods that the shell has in hand; `children` the ids below each node.
    """

    def __init__(self, document: Mapping[str, Any], uid: str) -> None:
        self.document, self.uid = document, uid
        self.name: str = document["metadata"]["name"]
        self.program = Program.read(document["spec"])
        self.values = workflow_values(document, uid)
        # Of `values`, which annotations change
        self.version = 0
        # Of a shutdown
        self.strategy = ""
        self.now = 0.0
        self.nodes: dict[str, Node] = {}
        self.dirty: set[str] = set()
        self.children: dict[str, list[str]] = {}
        self.live: dict[str, None] = {}
        self.frames: dict[str, Frame] = {}
        self.owners: dict[str, Frame | None] = {}
        self.actions: list[Action] = []
        self.work: deque[Frame] = deque()

    def find(self, name: str) -> Node | None:
        """Return the node of this name."""
        node = self.nodes.get(key := node_id(self.name, name))
        while node is not None and node.name != name:
            node = self.nodes.get(key := f"{key}-x")
        return node

    def make(
        self,
        place: CallSite,
        kind: str,
        template: str,
        phase: str,
        *,
        message: str = "",
        inputs: Pairs = (),
        retried: bool = False,
        hooked: bool = False,
    ) -> Node:
        """Make a node, and note who waits for its end."""
        key, dag = node_id(self.name, place.name), place.dag
        while (
            key in self.nodes
        ):  # two names with one hash: one in twenty sets of 10,000 experiments has such
            key += "-x"
        boundary = dag.node.id if dag else ""
        if dag and dag.node.inputs == inputs:
            # One object for an experiment and its jobs
            inputs = dag.node.inputs
        node = Node(
            key, place.name, kind, template, phase, started_at=self.now, boundary=boundary, parents=place.parents,
            message=message, inputs=inputs, sequence=len(self.nodes),
        )  # fmt: skip
        node.retried, node.hooked = retried, hooked
        self.add(node)
        self.dirty.add(key)
        if place.owner is not None or dag is None:
            self.owners[key] = place.owner
        if dag:
            dag.enter(node)
            dag.active += phase in ACTIVE and takes_place(node)
        return node

    def add(self, node: Node) -> None:
        """Enter a node that was just made, or read."""
        self.nodes[node.id] = node
        for parent in node.parents:
            self.children.setdefault(parent, []).append(node.id)

    def mark(self, node: Node, phase: str, message: str | None = None) -> None:
        """Bring a node into a phase."""
        was, node.phase = node.phase, phase
        if message is not None:
            node.message = message
        self.dirty.add(node.id)
        dag = self.frames.get(node.boundary)
        if isinstance(dag, DagFrame) and phase != was:
            if was in ACTIVE and phase not in ACTIVE and takes_place(node):
                dag.active -= 1
                self.wake(dag)
            if phase in UNSUCCESSFUL and node.type in (POD, DAG) and not node.hooked:
                dag.failures += 1
                self.wake(dag)
            self.react(node, dag)

    def settle(self, node: Node) -> None:
        """Tell who waits for a node that it is fulfilled, if it is; once."""
        if not node.fulfilled or node.id not in self.owners:
            return
        if node.finished_at is None:
            node.finished_at = self.now
        if locks := self.locks(node):
            self.actions.append(Release(node.id, locks))
        part = self.frames.pop(node.id, None)
        owner = self.owners.pop(node.id)
        if owner is not None:
            owner.settled(node, part)
            self.wake(owner)

    def wake(self, frame: Frame) -> None:
        """Have a frame look again at what it may do."""
        if not frame.queued:
            frame.queued = True
            self.work.append(frame)

    def react(self, node: Node, dag: DagFrame) -> None:
        """Do what a change of phase asks for at once."""

    def template(self, node: Node) -> Template:
        """Return the template of a node."""
        return self.program.templates[node.template]

    def known(self, node: Node) -> dict[str, str]:
        """Return what a node's own tags mean."""
        attempt = attempt_of(node)
        last = (
            self.find(f"{node.name[: node.name.rindex('(')]}({attempt - 1})")
            if attempt
            else None
        )
        return node_values(self.name, node, last)

    def locks(self, node: Node) -> tuple[str, ...]:
        """Return the names of the locks that a node needs for itself, as Argo writes them."""
        if (
            node.retried
            or node.type not in (POD, RETRY)
            or not self.template(node).mutexes
        ):
            return ()
        look = lookup(self.known(node), self.values)
        own = self.values["workflow.namespace"]
        return tuple(
            f"{resolve(namespace, look) or own}/Mutex/{resolve(name, look)}"
            for namespace, name in self.template(node).mutexes
        )


def takes_place(node: Node) -> bool:
    """Tell whether a node counts for the parallelism of its DAG; an attempt's place is its retry group's."""
    return node.type in _PLACES and not node.retried and not node.hooked
