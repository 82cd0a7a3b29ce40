"""Graph of a run: its nodes, and the bookkeeping of their changes."""

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from riseml.engines.local.interpreter.events import (
    GRACE_SECONDS,
    Action,
    Release,
    Stop,
)
from riseml.engines.local.interpreter.node import (
    FINAL,
    POD,
    RETRY,
    Node,
    Pairs,
    node_id,
)
from riseml.engines.local.interpreter.progress import CallSite, DagFrame, Frame
from riseml.engines.local.interpreter.tags import Lookup
from riseml.engines.local.interpreter.templates import Dag, Program, Template
from riseml.engines.local.interpreter.variables import (
    attempt_of,
    lookup_in,
    node_variables,
    resolve,
    task_value,
    workflow_variables,
)

# The first argument is a `Graph`, the second the frame type under which the table lists
# the function. A mapping's type cannot express that its values depend on its keys.
AdvanceFunctions = Mapping[type[Frame], Callable[..., None]]


class Graph:
    """The nodes of a run and everything that is in progress.

    Attributes:
        variables: The values of all `workflow.` tags.
        variables_version: Increases when an annotation changes `variables`.
        shutdown: The strategy of a shutdown, empty while there is none.
        now: The time of the last event, in Unix seconds.
        dirty: Ids of the nodes that have changed since the shell last saved them.
        children: Ids of the nodes below each node.
        live: Ids of the pods that the shell was asked to start and that have not ended,
            in that order.
        frames: What is in progress, by the id of its node.
        owners: The frame to notify when a node is fulfilled, by the id of the node.
        timers: Heap of times at which a node must be examined, and the node's id.
        actions: What the shell must do, in order.
        woken: Frames that may be able to advance.
    """

    def __init__(
        self, document: Mapping[str, Any], uid: str, advance_functions: AdvanceFunctions
    ) -> None:
        self.document = document
        self.name: str = document["metadata"]["name"]
        self.program = Program.read(document["spec"])
        self.variables = workflow_variables(document, uid)
        self.variables_version = 0
        self.shutdown = ""
        self.now = 0.0
        self.nodes: dict[str, Node] = {}
        self.dirty: set[str] = set()
        self.children: dict[str, list[str]] = {}
        self.live: dict[str, None] = {}
        self.frames: dict[str, Frame] = {}
        self.owners: dict[str, Frame | None] = {}
        self.timers: list[tuple[float, str]] = []
        self.actions: list[Action] = []
        self.woken: deque[Frame] = deque()
        self._advance_functions = advance_functions

    @property
    def root(self) -> Node | None:
        """The node of the entrypoint, None before the run starts."""
        return self.nodes.get(self.name)

    @property
    def ended(self) -> bool:
        """Whether the Workflow is complete; daemons may still be stopping."""
        root = self.root
        return root is not None and root.ended_at is not None

    def find(self, name: str) -> Node | None:
        """Return the node with this name, None if there is none."""
        return self.nodes.get(self._id_of(name))

    def _id_of(self, name: str) -> str:
        """Return the id of the node with this name, whether or not it exists."""
        key = node_id(self.name, name)
        # The id holds a 32-bit hash of the name: in one of twenty sets with 10,000
        # experiments, two names have the same hash.
        while key in self.nodes and self.nodes[key].name != name:
            key += "-x"
        return key

    def create(
        self,
        site: CallSite,
        node_type: str,
        template: str,
        phase: str,
        *,
        message: str = "",
        inputs: Pairs = (),
        retried: bool = False,
        hooked: bool = False,
    ) -> Node:
        """Create a node, and record which frame waits for it."""
        node = Node(
            id=self._id_of(site.name),
            name=site.name,
            type=node_type,
            template=template,
            phase=phase,
            started_at=self.now,
            parents=site.parents,
            message=message,
            inputs=inputs,
            retried=retried,
            hooked=hooked,
            sequence=len(self.nodes),
        )
        if phase in FINAL:
            node.finished_at = self.now
        self.add(node)
        self.dirty.add(node.id)
        if not hooked:
            self.owners[node.id] = site.owner
        if site.dag is not None:
            self._enter_dag(node, site.dag)
        return node

    def _enter_dag(self, node: Node, dag: DagFrame) -> None:
        node.boundary = dag.node.id
        if node.inputs == dag.node.inputs:
            # An experiment and its jobs share one object, which saves memory in large
            # sets.
            node.inputs = dag.node.inputs
        dag.enter(node)

    def add(self, node: Node) -> None:
        """Add a node that was just created or restored."""
        self.nodes[node.id] = node
        for parent in node.parents:
            self.children.setdefault(parent, []).append(node.id)

    def record_phase(
        self, node: Node, phase: str, message: str | None = None
    ) -> DagFrame | None:
        """Change the phase of a node, and its message unless that is None.

        Callers outside of `hooks` use `hooks.set_phase`, which also runs the hooks of
        the node.

        Returns:
            The DAG of the node if it is in progress and the phase is a new one.
        """
        previous = node.phase
        was_active = node.active
        node.phase = phase
        if message is not None:
            node.message = message
        self.dirty.add(node.id)
        dag = self.dag_of(node)
        # A DAG with failFast may have ended before its last nodes.
        if dag is None or phase == previous:
            return None
        if was_active and not node.active and node.occupies_slot:
            # A task that waits for a slot may start.
            dag.active -= 1
            self.wake(dag)
        if node.counts_as_failure:
            dag.failures += 1
            self.wake(dag)
        return dag

    def settle(self, node: Node) -> None:
        """Notify the frame that waits for a node, once, if the node is fulfilled."""
        if not node.fulfilled or node.id not in self.owners:
            return
        # The end of a pod is recorded with the time at which it happened.
        if node.finished_at is None:
            node.finished_at = self.now
        locks = self.locks_of(node)
        if locks:
            self.actions.append(Release(node.id, locks))
        frame = self.frames.pop(node.id, None)
        owner = self.owners.pop(node.id)
        if owner is not None:
            owner.child_settled(node, frame)
            self.wake(owner)

    def wake(self, frame: Frame) -> None:
        """Schedule a frame for `advance`."""
        if not frame.queued:
            frame.queued = True
            self.woken.append(frame)

    def advance(self, frame: Frame) -> None:
        """Let a frame do everything that is possible now."""
        self._advance_functions[type(frame)](self, frame)

    def advance_woken(self) -> None:
        """Advance frames until nothing more can happen without a new event."""
        while self.woken:
            frame = self.woken.popleft()
            frame.queued = False
            if frame.node.id in self.frames:
                self.advance(frame)

    def stop_pod(self, node: Node, reason: str, grace: float = GRACE_SECONDS) -> None:
        """Ask the shell to stop the pod of a node."""
        self.actions.append(Stop(node.id, reason, grace))

    def template_of(self, node: Node) -> Template:
        """Return the template of a node."""
        return self.program.templates[node.template]

    def tasks_of(self, node: Node) -> Dag:
        """Return the tasks of a DAG node."""
        dag = self.template_of(node).dag
        # A node of this type is created for templates with a `dag` only.
        assert dag is not None  # noqa: S101
        return dag

    def dag_of(self, node: Node) -> DagFrame | None:
        """Return the DAG that a node belongs to, None if it is not in progress."""
        frame = self.frames.get(node.boundary)
        if isinstance(frame, DagFrame):
            return frame
        return None

    def node_variables(self, node: Node) -> dict[str, str]:
        """Return the values of the tags that belong to a node."""
        previous_attempt = None
        attempt = attempt_of(node)
        if attempt:
            group_name = node.name[: node.name.rindex("(")]
            previous_attempt = self.find(f"{group_name}({attempt - 1})")
        return node_variables(self.name, node, previous_attempt)

    def task_lookup(self, dag: DagFrame) -> Lookup:
        """Return the lookup for tags in the tasks of a DAG."""
        lookup = lookup_in(dag.node_variables, self.variables)
        templates = self.program.templates

        def lookup_task_tag(tag: str) -> str | None:
            value = lookup(tag)
            if value is None:
                return task_value(tag, dag, templates)
            return value

        return lookup_task_tag

    def locks_of(self, node: Node) -> tuple[str, ...]:
        """Return the names of the locks that a node needs, as Argo writes them."""
        # A retry group holds the locks for its attempts.
        if node.retried or node.type not in (POD, RETRY):
            return ()
        mutexes = self.template_of(node).mutexes
        if not mutexes:
            return ()
        lookup = lookup_in(self.node_variables(node), self.variables)
        locks = []
        for namespace_template, name_template in mutexes:
            namespace = resolve(namespace_template, lookup)
            namespace = namespace or self.variables["workflow.namespace"]
            locks.append(f"{namespace}/Mutex/{resolve(name_template, lookup)}")
        return tuple(locks)
