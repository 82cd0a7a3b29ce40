"""View of a run on a cluster for a screen that is redrawn every second.

    watch of its Workflows ──thread──▶ documents ──▶ status ─┐
    a shell in the store   ──thread──▶ results, progress  ───┴─▶ SetStatus

Each run that is watched costs the API server one watch and one connection to the store.
"""

import re
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

from riseml.cluster.store import RunsScripts
from riseml.cluster.store_shell import StoreShell
from riseml.dataclass import dataclass, field, replace
from riseml.engines.argo import live_results, output_folder
from riseml.engines.argo.job_files import Texts
from riseml.engines.argo.job_files import read as read_job_files
from riseml.engines.argo.metric_files import MetricFiles, cache_file
from riseml.engines.argo.run_reader import RunReader
from riseml.errors import NotFoundError, RiseMLError
from riseml.ids import Id
from riseml.metrics.result_file import Reported
from riseml.status import ExperimentStatus, SetStatus, State, job_files, progress_file
from riseml.status.measured import Measured, complete, with_reported
from riseml.status.progress_file import Progress
from riseml.status.values import with_experiments

# Between two looks at the files of a run. Both take a small share of the time.
_REPORTS_SECONDS, _METRICS_SECONDS = 1.0, 5.0
_SHARE = 0.02
# The store may be away for a while.
_RETRY_SECONDS = 10.0
# How long a redraw waits for the first reports, so that the first screen is complete.
_FIRST_SECONDS = 2.0

# Prints time, exact time, size and name of each file that experiments report into, below
# the folder $1 of a run; then the content of those with progress, each after its name.
_LIST = """
cd "/output/$1" 2> /dev/null || exit 0
set -- .riseml/progress */.riseml/progress
stat -c '%Y %y %s %n' .riseml/results.jsonl */.riseml/results.jsonl "$@" 2> /dev/null || :
echo =
grep -H '' "$@" /dev/null 2> /dev/null || :
"""
_ACTIVE = (State.PENDING, State.STARTING, State.RUNNING)
_STAMP = re.compile(r"(\d+) .* (\S+)")


class _Listing(NamedTuple):
    """By the folder of an experiment below that of its run: stamps of results, and progress."""

    results: Mapping[str, str]
    progress: Mapping[str, Progress]


@dataclass(frozen=True)
class _Reports:
    """What running experiments have reported, by their ids."""

    results: Mapping[str, Reported] = field(default_factory=dict)
    progress: Mapping[str, Progress] = field(default_factory=dict)
    measured: Mapping[str, Measured] = field(default_factory=dict)
    texts: Texts = field(default_factory=dict)

    def add_to(self, experiment: ExperimentStatus) -> ExperimentStatus:
        reported = with_reported(
            experiment, self.results.get(experiment.id, Reported())
        )
        progress = self.progress.get(experiment.id, Progress())
        if experiment.state in _ACTIVE:
            reported = progress.add_to(reported)
            # Argo may call an experiment PENDING for ten seconds after it has started.
            if reported.progress is not None:
                reported = replace(reported, state=State.RUNNING)
        measured = complete(reported, self.measured.get(experiment.id, {}))
        return job_files.add_to(measured, self.texts.get(experiment.folder, {}))


class LiveRun:
    """View of one run; see `riseml.engines.views.RunView`."""

    def __init__(self, reader: RunReader, run: Id) -> None:
        self._reader, self._id = reader, Id(run.user, run.number)
        self._run = reader.read(self._id)
        self._page = self._run.page
        self._reports = _Reports()
        self._latest: Callable[[], SetStatus] | None = None
        self._error: RiseMLError | None = None
        self._is_closed = threading.Event()
        self._have_reports = threading.Event()
        self._shell = StoreShell(reader.store_of(run))
        if not self._run.state.is_terminal:
            for target in (self._follow, self._read_reports):
                threading.Thread(target=target, daemon=True).start()

    def read(self) -> SetStatus:
        """Return the run as it is now."""
        if self._error is not None:
            raise self._error
        latest, self._latest = self._latest, None
        if latest is not None:
            self._run = replace(latest(), page=self._page)
        if self._run.state.is_terminal:
            return self._run
        self._have_reports.wait(_FIRST_SECONDS)
        self._have_reports.set()
        return with_experiments(
            self._run, tuple(map(self._reports.add_to, self._run.experiments))
        )

    def close(self) -> None:
        """Close the connections."""
        self._is_closed.set()
        self._shell.close()

    def _follow(self) -> None:
        try:
            while not self._has_ended:
                self._follow_workflows()
        except RiseMLError as error:
            self._error = error

    def _follow_workflows(self) -> None:
        try:
            # Only the thread that draws reads the documents, as often as it draws.
            for documents in self._reader.follow_documents(self._id, list):
                self._latest = partial(self._reader.followed, documents)
                if self._has_ended:
                    return
        except NotFoundError:
            # A Workflow is gone, with others of its run or not: the archive has it.
            run = self._reader.read(self._id)
            self._latest = lambda: run

    @property
    def _has_ended(self) -> bool:
        return self._is_closed.is_set() or self._run.state.is_terminal

    def _read_reports(self) -> None:
        source = _Source(self._reader, self._shell)
        while not self._has_ended:
            begun, used = time.monotonic(), time.thread_time()
            try:
                self._reports = source.read(self._run)
            except RiseMLError:
                pause = _RETRY_SECONDS
            else:
                used = time.thread_time() - used
                elapsed = time.monotonic() - begun
                pause = max(_REPORTS_SECONDS, used / _SHARE, elapsed)
            self._have_reports.set()
            self._is_closed.wait(pause)


class _Source:
    """Reads what experiments of a run report; it keeps what it has read."""

    def __init__(self, reader: RunReader, shell: StoreShell) -> None:
        self._reader, self._shell = reader, shell
        self._stamps: dict[str, str] = {}
        self._results: dict[str, Reported] = {}
        self._measured: dict[str, Measured] = {}
        self._metrics_due = 0.0

    def read(self, run: SetStatus) -> _Reports:
        """Read what has changed.

        Raises:
            RiseMLError: the store is unavailable.
        """
        listing = list_files(self._shell, run.folder)
        changed = {}
        progress = {}
        for experiment in run.experiments:
            folder = experiment.folder
            progress[experiment.id] = listing.progress.get(folder, Progress())
            stamp = f"{experiment.attempt} {listing.results.get(folder, '')}"
            may_have_results = experiment.started or folder in listing.results
            if stamp != self._stamps.get(experiment.id) and may_have_results:
                self._stamps[experiment.id] = stamp
                changed[output_folder.folder(run, experiment)] = experiment
        if changed:
            self._read_results(changed)
        if run.metrics and time.monotonic() >= self._metrics_due:
            self._read_metrics(run)
        texts = read_job_files(self._shell, run)
        return _Reports(dict(self._results), progress, dict(self._measured), texts)

    def _read_results(self, changed: Mapping[str, ExperimentStatus]) -> None:
        reports = live_results.read(self._shell, changed)
        for folder, experiment in changed.items():
            self._results[experiment.id] = reports.get(folder, Reported())

    def _read_metrics(self, run: SetStatus) -> None:
        begun = time.monotonic()
        namespace = self._reader.workflows.namespace_of(Id(run.user, run.number))
        cache = cache_file(self._reader.home, run, namespace)
        measured = MetricFiles(self._shell, run, cache).read() or run
        for experiment in measured.experiments:
            if experiment.measured:
                self._measured[experiment.id] = experiment.measured
        elapsed = time.monotonic() - begun
        self._metrics_due = begun + max(_METRICS_SECONDS, _METRICS_SECONDS * elapsed)


def list_files(store: RunsScripts, folder: str) -> _Listing:
    """Return stamps and progress of all files that the experiments of a run report into.

    Raises:
        RiseMLError: the store is unavailable.
    """
    output = store.script(_LIST, folder).decode(errors="replace")
    stamps, _, contents = output.partition("=\n")
    results, modified = {}, {}
    for line in stamps.splitlines():
        match = _STAMP.fullmatch(line)
        if match is None:
            continue
        own_folder, _, name = match[2].rpartition(".riseml/")
        if name == "progress":
            modified[own_folder.rstrip("/")] = float(match[1])
        else:
            results[own_folder.rstrip("/")] = line
    progress = {}
    for line in contents.splitlines():
        path, _, text = line.partition(":")
        own_folder = path.rpartition(".riseml/")[0].rstrip("/")
        seconds = modified.get(own_folder, 0.0)
        progress[own_folder] = progress_file.read(f"{text}\n", seconds)
    return _Listing(results, progress)
