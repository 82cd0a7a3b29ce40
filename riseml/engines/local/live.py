"""View of a local run for a screen that is redrawn every second: it reads only what has changed.

database version changed ──▶ rows of experiments that changed ─┐
files of running experiments, in turns ──▶ results, progress ──┴─▶ SetStatus
"""

import os
import re
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from riseml import labels
from riseml.dataclass import dataclass, field, replace
from riseml.engines.local import metric_files, reports
from riseml.engines.local.controller import recorded_status
from riseml.engines.local.reader import HomeReader
from riseml.engines.local.serialize import experiment_from_data
from riseml.engines.local.store import Store
from riseml.ids import Id
from riseml.metrics.result_file import Reported
from riseml.status import ExperimentStatus, JobStatus, SetStatus, State, job_files
from riseml.status.measured import Measured, complete, with_reported
from riseml.status.progress_file import Progress

# CPU time of one read for the files of experiments; the next read goes on with the others.
_FILES_SECONDS = 0.008
_FIRST_FILES_SECONDS = 2.0
_EXPERIMENTS = "SELECT sub, data FROM experiments WHERE run = ? ORDER BY sub"
# The nodes of the run itself: build, TensorBoard
_RUN_NODES = (
    "SELECT name, phase, message FROM nodes"
    " WHERE run = ? AND instr(name, '.experiment(') = 0"
    " AND name NOT GLOB '*.set.round-[0-9]*(*'"
)
_RUNNING_PODS = (
    "SELECT name, template, running_at FROM nodes"
    " WHERE run = ? AND type = 'Pod' AND phase = 'Running'"
)
_POD_NAME = re.compile(
    rf"(?:\b{labels.EARLIER_PARAMETER}:(?P<earlier>\d+),.*)?"
    rf"\b{labels.SUB_PARAMETER}:(?P<sub>\d+)[^()]*\)"
    r"(?:\((?P<gang>\d+)\))?\.[\w-]+(?:\((?P<job>\d+)\))?$"
)
_Signature = tuple[object, ...]


@dataclass
class _Files:
    """What the files of an experiment reported when they were last read."""

    signature: _Signature = ()
    reported: Reported = field(default_factory=Reported)
    progress: Progress = field(default_factory=Progress)
    measured: Measured = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)

    def update(
        self, run: SetStatus, experiment: ExperimentStatus, folder: Path
    ) -> None:
        """Read the files that have changed; `folder` is the experiment's own."""
        signature = (
            experiment.state,
            experiment.attempt,
            _stamp(f"{folder}/{reports.RESULTS}"),
            _stamp(f"{folder}/{reports.PROGRESS}"),
        )
        if experiment.state.is_terminal:
            # Its row has the result.
            self.reported, self.progress = Reported(), Progress()
        elif signature != self.signature:
            self.signature = signature
            self.reported = reports.read_result(experiment, folder)
            self.progress = reports.read_progress(experiment, folder)
        self.texts = reports.read_job_files(experiment, folder)
        if run.metrics and experiment.started is not None:
            self.measured = metric_files.measure(run, experiment, folder)

    def add_to(self, experiment: ExperimentStatus) -> ExperimentStatus:
        """Return an experiment with what its files reported."""
        with_result = with_reported(experiment, self.reported)
        with_progress = self.progress.add_to(with_result)
        return job_files.add_to(complete(with_progress, self.measured), self.texts)


class LiveRun:
    """View of one run; see `riseml.engines.views.RunView`."""

    def __init__(self, reader: HomeReader, run: Id) -> None:
        self._reader, self._run = reader, run
        self._number = reader.number(run)
        row = reader.summary_row(self._number)
        self._folder = reader.run_folder(row)
        self._rows = _Rows()
        self._files: dict[int, _Files] = {}
        # Numbers of the experiments whose files are read again, the next one first.
        self._turns: deque[int] = deque()
        self._version: tuple[int, int] | None = None
        # The run as it was when its own nodes last changed, or the experiment in the id.
        self._base: SetStatus | None = None
        self._base_key: object = None

    def read(self) -> SetStatus:
        """Return the run as it is now."""
        row = self._reader.summary_row(self._number)
        if row["ended"] or not row["is_set"]:
            return self._reader.read(self._run)
        store = self._reader.store()
        budget = _FILES_SECONDS if self._version else _FIRST_FILES_SECONDS
        version = store.version()
        if self._base is None or version != self._version:
            self._version = version
            self._base = self._read_rows(store)
        self._read_files(self._base, budget)
        now = self._reader.summary(store, row, experiments=False)
        return replace(
            self._base,
            state=now.state,
            started=now.started,
            finished=now.finished,
            counts=now.counts,
            experiments=tuple(self._completed()),
            tensorboard_url=self._reader.tensorboard_url(self._run),
        )

    def close(self) -> None:
        """Do nothing: the reader keeps its connection."""

    def _read_rows(self, store: Store) -> SetStatus:
        """Read what has changed in the database; return the run without it."""
        base = self._base
        numbers = self._number, *store.shards(self._number)
        changed = self._rows.update(store, self._number)
        self._turns.extend(changed - set(self._turns))
        key = (
            self._rows.state_of(self._run.sub),
            _run_nodes(store, self._number),
            _pods_of(store, numbers, self._run.sub),
        )
        if base is None or key != self._base_key:
            self._base_key = key
            base = recorded_status.read(store, numbers)
        for number in numbers:
            self._rows.add_jobs(store, number, base)
        self._rows.add_all_jobs(base, self._run.sub)
        return base

    def _read_files(self, base: SetStatus, budget: float) -> None:
        """Read files of experiments in turns, within some CPU time."""
        begun = time.process_time()
        for _ in range(len(self._turns)):
            key = self._turns.popleft()
            experiment = self._rows.experiments[key]
            files = self._files.setdefault(key, _Files())
            folder = self._folder / experiment.folder
            files.update(base, experiment, folder)
            # Nothing will be added to those of an experiment that has ended.
            if not experiment.state.is_terminal:
                self._turns.append(key)
            if time.process_time() - begun > budget:
                return

    def _completed(self) -> Iterator[ExperimentStatus]:
        for key, experiment in self._rows.experiments.items():
            files = self._files.get(key)
            yield files.add_to(experiment) if files else experiment


class _Rows:
    """The experiments of a set as the database has them.

    The rows of a run have what the last of its Workflows says of each, by its number.
    """

    def __init__(self) -> None:
        self.texts: dict[int, str] = {}
        self.experiments: dict[int, ExperimentStatus] = {}

    def update(self, store: Store, number: int) -> set[int]:
        """Read the rows that have changed; return the numbers of experiments that have started."""
        changed = set()
        for sub, text in store.rows(_EXPERIMENTS, number):
            if self.texts.get(sub) == text:
                continue
            data = store.decode(number, text, f"experiment {sub}")
            self.texts[sub] = text
            self.experiments[sub] = experiment_from_data(data)
            if "started" in data:
                changed.add(sub)
        return changed

    def state_of(self, sub: int | None) -> tuple[object, ...]:
        """Return what changes with the jobs of the experiment with this number, or with new experiments."""
        for experiment in self.experiments.values():
            if experiment.sub == sub:
                return experiment.state, experiment.reason, experiment.message
        return (len(self.experiments),)

    def add_jobs(self, store: Store, number: int, base: SetStatus) -> None:
        """Add the jobs of a Workflow that are running.

        The rows have none, but the jobs tell which attempt it is and when it started.
        """
        planned = {experiment.id: experiment.jobs for experiment in base.experiments}
        for name, template, running_at in store.rows(_RUNNING_PODS, number):
            match = _POD_NAME.search(name)
            # A node of the run's own build has no number.
            if match is None or int(match["sub"]) not in self.experiments:
                continue
            sub = int(match["sub"])
            experiment = self.experiments[sub]
            jobs = planned.get(experiment.id) or (JobStatus(experiment.id, template),)
            attempt = int(match["gang"] or match["job"] or 0)
            job = replace(
                jobs[0],
                type=template,
                state=State.RUNNING,
                # Attempts of a repeated experiment are counted on.
                attempt=int(match["earlier"] or 0) + attempt,
                started=_time(running_at),
            )
            self.experiments[sub] = replace(experiment, jobs=(job,))

    def add_all_jobs(self, base: SetStatus, sub: int | None) -> None:
        """Add all jobs of the experiment `sub`."""
        planned = {experiment.sub: experiment.jobs for experiment in base.experiments}
        for key, experiment in self.experiments.items():
            if experiment.sub == sub and sub in planned:
                self.experiments[key] = replace(experiment, jobs=planned[sub])


def _pods_of(store: Store, numbers: Iterable[int], sub: int | None) -> list[str]:
    """Return the running pods of the experiment `sub`: a further attempt has other ones."""
    if sub is None:
        return []
    pods = []
    for number in numbers:
        for name, *_ in store.rows(_RUNNING_PODS, number):
            match = _POD_NAME.search(name)
            if match is not None and int(match["sub"]) == sub:
                pods.append(name)
    return pods


def _run_nodes(store: Store, number: int) -> list[tuple[Any, ...]]:
    return list(map(tuple, store.rows(_RUN_NODES, number)))


def _time(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _stamp(path: str) -> tuple[int, int]:
    """Return what changes when a file is written; zeros if there is none."""
    try:
        # `os.stat` takes half the time of `Path.stat`, and runs for each experiment.
        found = os.stat(path)  # noqa: PTH116
    except OSError:
        return 0, 0
    return found.st_mtime_ns, found.st_size
