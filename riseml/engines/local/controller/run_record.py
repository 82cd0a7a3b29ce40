"""What the home keeps of a run besides its nodes: each experiment as last known, the run as a whole, its archive.

Only experiments whose nodes changed are read again, so the cost of a change does not grow with the set.
"""

import json
import os
import re
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from riseml import labels, status
from riseml.engines.local.interpreter.run import WorkflowRun
from riseml.engines.local.serialize import moment, plain, to_json
from riseml.engines.local.store import Store
from riseml.status import State, set_state

if TYPE_CHECKING:
    from riseml.engines.local.jobs.pod import Pod

_CELL = re.compile(
    r"\.experiment\((\d+):"
)  # in the names of all nodes of an experiment: its place in the grid
_OUTSIDE = -1


class Journal:
    """The record of one run; experiments are known by their place in the grid, from 0."""

    def __init__(
        self, document: Mapping[str, Any], number: int, archive: Path, experiments: int
    ) -> None:
        self.document, self.number, self.archive = document, number, archive
        self.killed = self.shutdown = ""
        self.dirty = True
        self._nodes: dict[int, list[str]] = {}
        self._seen: set[str] = set()
        self._states: list[State | None] = [None] * experiments
        self._counts: Counter[State] = Counter()
        self._started: float | None = None
        self._outline: status.Outline | None = (
            # None: to be read again, and every experiment with it
            None
        )

    def known(self, run: WorkflowRun) -> None:
        """Take up the nodes of a run that an earlier controller left."""
        for node in run.nodes:
            self._place(run, node)

    def kill(self, what: str, now: float) -> str:
        """Note that `what` (an experiment's sub, or `*`) is to be killed; return the annotation's new value."""
        entry = f"{what}={moment(now)}"
        self.killed = f"{self.killed},{entry}" if self.killed else entry
        self.dirty, self._outline = True, None
        return self.killed

    def ended(self, sub: int) -> bool:
        """Whether an experiment has ended."""
        state = self._states[sub - 1] if 0 < sub <= len(self._states) else None
        return state is not None and state.is_terminal

    def write(self, store: Store, run: WorkflowRun) -> None:
        """Write the nodes that changed and all that follows from them; inside a transaction."""
        store.put_nodes(self.number, [run.nodes[node] for node in run.dirty])
        touched = {self._place(run, node) for node in run.dirty}
        if self._outline is None or _OUTSIDE in touched:
            own = [run.node_status(node) for node in self._nodes.get(_OUTSIDE, ())]
            changed = status.read_outline(self._annotated(), own)
            if changed != self._outline:
                self._outline, touched = changed, set(range(len(self._states)))
        store.put_experiments(self.number, self._read(run, touched - {_OUTSIDE}))
        store.update_run(
            self.number,
            state=set_state(self._counts),
            counts=json.dumps(self._counts),
            started=self._started,
            killed=self.killed,
            shutdown=self.shutdown,
        )
        if run.ended:
            store.update_run(
                self.number, ended=1, finished=time.time(), environment="{}"
            )
            self._archive(run)

    def _read(
        self, run: WorkflowRun, positions: Iterable[int]
    ) -> Iterable[tuple[int, str]]:
        """Yield the rows of these experiments as they are now, and count their states."""
        # Read just before
        assert self._outline is not None  # noqa: S101
        for position in positions:
            nodes = [run.node_status(node) for node in self._nodes.get(position, ())]
            experiment = status.read_experiment(self._outline, position, nodes)
            before, self._states[position] = self._states[position], experiment.state
            if before is not None:
                self._counts[before] -= 1
            self._counts[experiment.state] += 1
            if experiment.started and self._started is None:
                self._started = experiment.started.timestamp()
            yield position + 1, to_json(experiment)

    def _place(self, run: WorkflowRun, node: str) -> int:
        match = _CELL.search(run.nodes[node].name)
        place = int(match[1]) if match else _OUTSIDE
        if node not in self._seen:
            self._seen.add(node)
            self._nodes.setdefault(place, []).append(node)
        return place

    def _annotated(self) -> dict[str, Any]:
        metadata = self.document["metadata"]
        annotations = {**metadata.get("annotations", {}), labels.KILLED: self.killed}
        return {**self.document, "metadata": {**metadata, "annotations": annotations}}

    def _archive(self, run: WorkflowRun) -> None:
        """Leave the outcome beside the outputs, where it outlives this home's database."""
        whole = status.read({**self._annotated(), "status": run.status(time.time())})
        part = self.archive.with_name("run.json.part")
        try:
            part.parent.mkdir(parents=True, exist_ok=True)
            part.write_text(
                json.dumps(asdict(whole), default=plain, indent=1), encoding="utf-8"
            )
            part.replace(self.archive)
        except OSError as error:
            # A full disk must not keep the run from ending; the database has it all
            # The controller's log
            print(f"{self.archive}: {error}", flush=True)  # noqa: T201

    def sample(self, pod: "Pod") -> None:
        """Note how far a job's log has come by now, and what progress it says; what cannot be noted is left."""
        with suppress(OSError):
            # Half the cost of Path.stat, for every job
            size = os.stat(pod.log).st_size  # noqa: PTH116
            if 0 <= pod.logged < size:
                with open(f"{pod.log}.times", "a", encoding="ascii") as index:  # noqa: PTH123
                    index.write(f"{time.time():.0f} {size}\n")
            pod.logged = size
        with suppress(OSError):
            pod.progress = (
                (pod.directory / "progress")
                .read_text(encoding="ascii", errors="replace")
                .strip()[:64]
            )
