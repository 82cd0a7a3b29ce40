"""Pods of a home that are running, with the job that each belongs to and its folder."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from riseml.dataclass import dataclass
from riseml.engines.local import home
from riseml.engines.local.controller import stored_run
from riseml.engines.local.reader import HomeReader
from riseml.engines.local.shard_keys import number_of
from riseml.engines.local.store import Store
from riseml.ids import Id
from riseml.status.job_names import NamedJob, job_of
from riseml.status.outline import Outline, sketch

_RUNNING = (
    "SELECT id, name, running_at FROM nodes"
    " WHERE run = ? AND type = 'Pod' AND phase = 'Running' ORDER BY sequence"
)


@dataclass(frozen=True)
class RunningPod:
    """A pod that is running; its folder has the pid of its supervisor."""

    job: NamedJob
    project: str
    started: datetime | None
    folder: Path


@dataclass(frozen=True)
class _Workflow:
    """What does not change of a Workflow."""

    outline: Outline
    project: str


class RunningPods:
    """The running pods of a home; documents of Workflows are read once."""

    def __init__(self, reader: HomeReader) -> None:
        self._reader = reader
        self._workflows: dict[int, _Workflow] = {}
        self._jobs: dict[str, NamedJob | None] = {}
        self._version: object = None
        self._pods: list[RunningPod] = []

    def read(self, selected: Id) -> list[RunningPod]:
        """Return the running pods that an id selects, in the order of their start."""
        store = self._reader.store()
        version = store.version()
        if version != self._version:
            self._version = version
            self._pods = list(self._read(store, selected))
        return self._pods

    def _read(self, store: Store, selected: Id) -> Iterator[RunningPod]:
        for key in store.unfinished_keys():
            if selected.number not in (None, number_of(key)):
                continue
            workflow = self._workflow(store, key)
            for node_id, name, running_at in store.rows(_RUNNING, key):
                job = self._job(workflow, node_id, name)
                if job is not None and _selects(selected, job):
                    folder = home.run_folder(self._reader.home, key) / node_id
                    started = _time(running_at)
                    yield RunningPod(job, workflow.project, started, folder)

    def _workflow(self, store: Store, key: int) -> _Workflow:
        if key not in self._workflows:
            row = store.run(key)
            # The store has just listed this key.
            assert row is not None  # noqa: S101
            document = stored_run.stored_document(store, row)
            self._workflows[key] = _Workflow(sketch(document), row["project"])
        return self._workflows[key]

    def _job(self, workflow: _Workflow, node_id: str, name: str) -> NamedJob | None:
        if node_id not in self._jobs:
            self._jobs[node_id] = job_of(workflow.outline, name)
        return self._jobs[node_id]


def _selects(selected: Id, job: NamedJob) -> bool:
    """Return whether an id selects a job; a TensorBoard only by its own id."""
    if selected.sub not in (None, job.sub):
        return False
    if selected.type is None:
        return job.type != "tensorboard"
    return (selected.type, selected.index) == (job.type, job.index)


def _time(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
