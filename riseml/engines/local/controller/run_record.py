"""Record of a run in the database: its experiments, the run itself, and its archive.

    nodes that changed ──▶ their experiments ──▶ state, counts ──▶ run.json at the end

Only experiments whose nodes changed are read again, so the cost of a change does not
grow with the set.
"""

import json
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from riseml import disk, labels, marks, status
from riseml.engines.local import marks as stored_marks
from riseml.engines.local import (
    outputs,
    reports,
    reserve,
    shard_keys,
)
from riseml.engines.local.controller import (
    final_record,
    kills,
    recorded_status,
    shared_rows,
)
from riseml.engines.local.controller.final_record import FinalReader, FinalRecord
from riseml.engines.local.controller.log import logger
from riseml.engines.local.home import HomeLayout
from riseml.engines.local.interpreter.run import WorkflowRun
from riseml.engines.local.serialize import Inherited, experiment_to_json
from riseml.engines.local.store import Store
from riseml.errors import DiskFullError
from riseml.plan import NO_MARKS
from riseml.settings import PROCESS
from riseml.status import ExperimentStatus, State, set_state
from riseml.status.outline import sketch


class RunRecord:
    """The record of one Workflow; experiments are addressed by their position, from 0.

    `is_shared` means that the run has other Workflows: they share the row of the run and
    those of its experiments (`shared_rows.py`).
    """

    def __init__(
        self, layout: HomeLayout, document: Mapping[str, Any], key: int
    ) -> None:
        self.document, self.key = document, key
        self.number = shard_keys.number_of(key)
        self.user, self.project = owner_of(document)
        annotations = document["metadata"].get("annotations", {})
        self.runner = annotations.get(labels.RUNNER) or PROCESS
        self._home = layout.home
        self.folder = layout.output(self.user, self.project, self.number)
        self.killed = self.shutdown = ""
        self.dirty = True
        self.is_shared = key != self.number
        outline = sketch(document)
        self.subs = list(_subs(outline.items))
        self.experiment_count = len(self.subs)
        # 0 means that nothing limits how many run at once.
        self.concurrency = outline.concurrency or 0
        # The names of all nodes of an experiment contain its position.
        self._positions = outline.positions
        # Without a position are the nodes of the run itself.
        self._nodes: dict[int | None, list[str]] = {}
        # A node that was created later than these is a new one.
        self._entered_count = 0
        self._states: list[State | None] = [None] * self.experiment_count
        self._counts: Counter[State] = Counter()
        self._started: float | None = None
        # None makes the next `write` read the outline and all experiments again.
        self._outline: status.Outline | None = None
        self._is_committed = True

    def insert(self, store: Store, inherited: Inherited) -> None:
        """Insert the run into the database; call it inside a transaction."""
        metadata = self.document["metadata"]
        created = datetime.fromisoformat(metadata["creationTimestamp"])
        store.add_run(
            number=self.key,
            name=metadata["name"],
            user=self.user,
            project=self.project,
            is_set=int(metadata["labels"].get(labels.KIND) == "set"),
            concurrency=self.concurrency,
            state=State.CREATED,
            counts=json.dumps({State.CREATED: self.experiment_count}),
            created=created.timestamp(),
            document=json.dumps(self.document),
            environment=inherited.to_json(),
        )
        marked = marks.read(metadata)
        if marked != NO_MARKS:
            store.put_marks(self.number, marks.to_data(marked))
        # The next `write` reads everything again.
        self._outline = None

    def adopt(self, run: WorkflowRun) -> None:
        """Enter the nodes that an earlier controller recorded."""
        for node in run.nodes:
            self._enter(run, node)
        self._entered_count = len(run.nodes)

    def kill(self, target: str, now: float) -> str:
        """Record the kill of a target at a time; return the new value of the annotation.

        `target` is one of `kills`.
        """
        self.killed = kills.add(self.killed, target, now)
        self.dirty, self._outline = True, None
        return self.killed

    def has_ended(self, sub: int) -> bool:
        """Return whether an experiment has ended."""
        if sub not in self.subs:
            return False
        state = self._states[self.subs.index(sub)]
        return state is not None and state.is_terminal

    @property
    def code(self) -> tuple[str, str]:
        """The project and the revision of the code that the jobs run."""
        annotations = self.document["metadata"].get("annotations", {})
        return self.project, annotations.get(labels.REVISION, "")

    @property
    def state(self) -> State:
        """The state of the run, as last written."""
        return set_state(self._counts)

    def write(self, store: Store, run: WorkflowRun) -> None:
        """Write the nodes that changed and all that follows from them.

        Call it inside a transaction, and `committed` after that.
        """
        if not self._is_committed:
            # The rows that the last call wrote are lost.
            self._outline = None
        self._is_committed = False
        store.put_nodes(self.key, [run.nodes[node].to_row() for node in run.dirty])
        positions = {self._enter(run, node) for node in run.dirty}
        self._entered_count = len(run.nodes)
        if self._outline is None or None in positions:
            outside = [run.node_status(node) for node in self._nodes.get(None, ())]
            outline = status.read_outline(self._annotated_document(), outside)
            if outline != self._outline:
                # Experiments depend on the outline, for example on a failed build.
                self._outline = outline
                positions.update(range(len(self._states)))
        experiments = self._experiments(run, positions)
        if self.is_shared:
            shared_rows.put(store, self.number, list(experiments))
        else:
            rows = map(_row, experiments)
            store.put_experiments(self.number, rows)
            store.update_run(
                self.number,
                state=self.state,
                counts=json.dumps(self._counts),
                started=self._started,
            )
        store.update_run(self.key, killed=self.killed, shutdown=self.shutdown)
        if run.ended:
            self._write_end(store, run)

    def committed(self) -> None:
        """Note that the database has what the last `write` wrote."""
        self.dirty, self._is_committed = False, True

    def _experiments(
        self, run: WorkflowRun, positions: Iterable[int | None]
    ) -> Iterator[ExperimentStatus]:
        """Yield experiments as they are now, and count their states; None is none of them."""
        # `write` has read the outline just before.
        assert self._outline is not None  # noqa: S101
        for position in positions:
            if position is None:
                continue
            nodes = [run.node_status(node) for node in self._nodes.get(position, ())]
            experiment = status.read_experiment(self._outline, position, nodes)
            if experiment.state.is_terminal:
                folder = reports.experiment_folder(self.folder, experiment)
                experiment = reports.with_result(experiment, folder)
            previous_state = self._states[position]
            self._states[position] = experiment.state
            if previous_state is not None:
                self._counts[previous_state] -= 1
            self._counts[experiment.state] += 1
            if experiment.started and self._started is None:
                self._started = experiment.started.timestamp()
            yield experiment

    def _enter(self, run: WorkflowRun, node: str) -> int | None:
        """Assign a node to the position of its experiment, and return that."""
        position = self._positions.of(run.nodes[node].name)
        if run.nodes[node].sequence >= self._entered_count:
            self._nodes.setdefault(position, []).append(node)
        return position

    def _annotated_document(self) -> dict[str, Any]:
        metadata = self.document["metadata"]
        annotations = {**metadata.get("annotations", {}), labels.KILLED: self.killed}
        document = {
            **self.document,
            "metadata": {**metadata, "annotations": annotations},
        }
        if self.shutdown:
            document["spec"] = {**self.document["spec"], "shutdown": self.shutdown}
        return document

    def _write_end(self, store: Store, run: WorkflowRun) -> None:
        now = time.time()
        document = self._annotated_document()
        ended = FinalReader(document, run, self._nodes).read(self.folder)
        (marked,) = stored_marks.added(store, [ended.run], self.number)
        final = ended._replace(run=marked)
        # A job of the run's own may end after it, and then this is written again.
        store.update_run(self.key, ended=1, finished=now, environment="{}")
        store.put_status(self.key, final.parts)
        if self.is_shared:
            self._write_shared_end(store, now)
        else:
            self._archive(final)

    def _write_shared_end(self, store: Store, now: float) -> None:
        unfinished = set(store.unfinished_keys())
        keys = (self.number, *store.shards(self.number))
        if self.number in unfinished:
            # The record of a run begins with its first Workflow.
            return
        if unfinished.isdisjoint(keys):
            store.update_run(self.number, finished=now)
        ended = [key for key in keys if key not in unfinished]
        self._archive(final_record.of_run(recorded_status.read(store, ended)))

    def _archive(self, final: FinalRecord) -> None:
        """Write the outcome beside the outputs, where it outlives the database."""
        try:
            reserve.spend(self._home, lambda: self._write_archive(final), last=False)
        except (DiskFullError, OSError) as error:
            # A full disk must not keep the run from ending: the database has it all.
            logger.error("run %d: run.json: %s", self.number, error)

    def _write_archive(self, final: FinalRecord) -> None:
        archive = self.folder / outputs.ARCHIVE
        temporary = self.folder / f"{outputs.ARCHIVE}.part"
        try:
            temporary.parent.mkdir(parents=True, exist_ok=True)
            with temporary.open("w", encoding="utf-8") as file:
                file.writelines(final.archive_parts())
            temporary.replace(archive)
        except OSError as error:
            if disk.means_full(error):
                raise disk.full(archive, f"{archive} cannot be written") from error
            raise


def owner_of(document: Mapping[str, Any]) -> tuple[str, str]:
    """Return the user and the project that the labels of a document name."""
    metadata = document["metadata"]
    tags = metadata.get("labels", {})
    return tags.get(labels.USER, "me"), tags.get(labels.PROJECT, metadata["name"])


def _row(experiment: ExperimentStatus) -> tuple[int, str]:
    """Return the number and the JSON of an experiment."""
    return experiment.number, experiment_to_json(experiment)


def _subs(items: Iterable[Any]) -> Iterator[int]:
    for position, item in enumerate(items, start=1):
        # A document that RiseML did not compile may have other items.
        named = item.get(labels.SUB_PARAMETER) if isinstance(item, dict) else None
        yield int(named or position)
