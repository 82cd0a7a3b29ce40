"""Shell without processes, which drives a WorkflowRun in a deterministic order.

    simulate(document, script) ─▶ the document with its status

A script determines how each pod ends. It is a function of `Job`, or a map from the end of
a node's name, or the name of a template, to one exit code for each attempt:
`{"experiment(1:lr:0.1).train": [1, 0]}`, `{"train": [3]}`. All other pods succeed.
"""

import copy
import heapq
import itertools
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from riseml.engines.local.interpreter.events import (
    Acquire,
    Action,
    Annotated,
    Event,
    LockGranted,
    PodEnded,
    PodStarted,
    Release,
    Shutdown,
    StartPod,
    Stop,
    Tick,
)
from riseml.engines.local.interpreter.node import Node
from riseml.engines.local.interpreter.run import WorkflowRun

BEGINNING = 1_000_000.0
Document = dict[str, Any]


@dataclass(frozen=True)
class Job:
    """A pod whose end a script determines; `at` is in seconds from the beginning."""

    name: str
    attempt: int
    template: Mapping[str, Any]
    at: float


@dataclass(frozen=True)
class End:
    """How a pod ends.

    It runs for `after` seconds (None: until it is stopped), after `pending` seconds.
    `stopped` is its exit code when it is stopped.
    """

    code: int | None = 0
    after: float | None = 1.0
    pending: float = 0.25
    stopped: int | None = 143
    container: str = "main"
    reason: str = "Error"
    message: str = ""
    phase: str | None = None
    outputs: Mapping[str, str] = field(default_factory=dict)

    def event(self, node: str) -> PodEnded:
        return PodEnded(
            node,
            self.code,
            self.container,
            self.reason,
            self.message,
            self.outputs,
            self.phase,
        )


FOREVER = End(after=None)
Script = Callable[[Job], End] | Mapping[str, Sequence[int | End]]


def simulate(
    document: Document,
    script: Script | None = None,
    at: Iterable[tuple[float, Event]] = (),
) -> Document:
    """Run a Workflow to its end; `at` holds further events and their seconds."""
    simulator = Simulator(document, script or {}, at)
    simulator.finish()
    return simulator.result()


class Simulator:
    """A run and its pods; `restarts` holds the steps after which the controller restarts."""

    def __init__(
        self,
        document: Document,
        script: Script,
        at: Iterable[tuple[float, Event]] = (),
        restarts: Collection[int] = (),
    ) -> None:
        self.document = copy.deepcopy(document)
        self.script, self.restarts = script, restarts
        self.run = WorkflowRun(self.document, "uid")
        self.now = BEGINNING
        # What a database would contain.
        self.rows: dict[str, tuple[Any, ...]] = {}
        # The ends of the pods that have not ended.
        self.jobs: dict[str, End] = {}
        self.launched: list[StartPod] = []
        self.stops: list[Stop] = []
        self.holders: dict[str, str] = {}
        self.waiting: dict[str, tuple[str, ...]] = {}
        self.granted: list[str] = []
        self.steps = 0
        self.most_active = 0
        self._order = itertools.count()
        self._agenda: list[tuple[float, int, Event]] = []
        for delay, event in at:
            self._later(delay, event)

    def finish(self, limit: int = 100_000) -> None:
        """Run until nothing more happens."""
        self._act(self.run.start(self.now))
        while self.step():
            assert self.steps < limit, "the run does not end"

    def step(self) -> bool:
        """Apply the next event; False if there is none."""
        due = self.run.next_tick()
        self._drop_stale()
        if due is not None and (not self._agenda or due <= self._agenda[0][0]):
            event: Event = Tick()
            self.now = max(self.now, due)
        elif self._agenda:
            self.now, _, event = heapq.heappop(self._agenda)
        else:
            return False
        self.steps += 1
        self.apply(event)
        if self.steps in self.restarts:
            self.restart()
        return True

    def apply(self, event: Event) -> None:
        if isinstance(event, PodEnded):
            self.jobs.pop(event.node, None)
        if isinstance(event, Shutdown):
            self.document["spec"]["shutdown"] = event.strategy
        if isinstance(event, Annotated):
            self.document["metadata"].setdefault("annotations", {})[event.key] = (
                event.value
            )
        self._act(self.run.apply(event, self.now))

    def restart(self) -> None:
        """Restart the controller, which has only the saved rows; the pods continue."""
        self.run = WorkflowRun.restore(
            self.document, "uid", [Node.from_row(row) for row in self.rows.values()]
        )
        self.holders, self.waiting, self.granted = {}, {}, []
        self._act(self.run.resume(self.now), restarted=True)

    def result(self) -> Document:
        return {**copy.deepcopy(self.document), "status": self.run.status()}

    def _drop_stale(self) -> None:
        """Drop the events of pods that have ended."""
        while self._agenda:
            _, _, event = self._agenda[0]
            node = getattr(event, "node", None)
            if node is None or node in self.jobs:
                break
            # A node that waits for its lock has no pod yet.
            if node in self.waiting or node in self.granted:
                break
            heapq.heappop(self._agenda)

    def _later(self, delay: float, event: Event) -> None:
        heapq.heappush(self._agenda, (self.now + delay, next(self._order), event))

    def _act(self, actions: Iterable[Action], *, restarted: bool = False) -> None:
        for key in self.run.dirty:
            self.rows[key] = self.run.nodes[key].to_row()
        self.run.dirty.clear()
        for action in actions:
            match action:
                case StartPod():
                    self._launch(action, restarted=restarted)
                case Stop():
                    self._stop(action)
                case Acquire(node, locks, held):
                    self._acquire(node, locks, held=held)
                case Release(node, locks):
                    self._release(node, locks)
        self.most_active = max(self.most_active, len(self.jobs))

    def _launch(self, action: StartPod, *, restarted: bool) -> None:
        if action.node in self.jobs:
            assert restarted, f"{action.node} was launched twice"
            return
        assert not action.started, f"{action.node} had begun, and is gone"
        self.launched.append(action)
        job = Job(
            self.run.nodes[action.node].name,
            action.attempt,
            action.template,
            self.now - BEGINNING,
        )
        end = self._end(job)
        self.jobs[action.node] = end
        self._later(end.pending, PodStarted(action.node))
        if end.after is not None:
            self._later(end.pending + end.after, end.event(action.node))

    def _end(self, job: Job) -> End:
        if callable(self.script):
            return self.script(job)
        name = job.name.removesuffix(f"({job.attempt})")
        for key, ends in self.script.items():
            if (
                name.endswith(key) or job.template["name"] == key
            ) and job.attempt < len(ends):
                end = ends[job.attempt]
                return end if isinstance(end, End) else End(end)
        return FOREVER if job.template.get("daemon") else End()

    def _stop(self, action: Stop) -> None:
        self.stops.append(action)
        if action.node in self.jobs:
            end = self.jobs[action.node]
            self._later(0.05, PodEnded(action.node, end.stopped))

    def _acquire(self, node: str, locks: tuple[str, ...], *, held: bool) -> None:
        if held:
            self.holders.update(dict.fromkeys(locks, node))
        else:
            self.waiting[node] = locks
            self._grant()

    def _release(self, node: str, locks: tuple[str, ...]) -> None:
        self.waiting.pop(node, None)
        for lock in locks:
            if self.holders.get(lock) == node:
                del self.holders[lock]
        self._grant()

    def _grant(self) -> None:
        for node, locks in list(self.waiting.items()):
            if not any(lock in self.holders for lock in locks):
                self.holders.update(dict.fromkeys(locks, node))
                del self.waiting[node]
                self.granted.append(node)
                self._later(0.0, LockGranted(node))


def phases(document: Document) -> dict[str, str]:
    """Return the phase of every node, by its name without the Workflow's."""
    name = document["metadata"]["name"]
    nodes = document["status"]["nodes"].values()
    return {
        node["name"].removeprefix(name).removeprefix("."): node["phase"]
        for node in nodes
    }


def by_name(document: Document, name: str) -> dict[str, Any]:
    """Return the node whose name, without the Workflow's, is `name`."""
    full_name = f"{document['metadata']['name']}.{name}".removesuffix(".")
    nodes = document["status"]["nodes"].values()
    (node,) = [node for node in nodes if node["name"] == full_name]
    return dict(node)
