"""Records of all runs of a user, with their jobs: from the archive, or from their Workflows."""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime

from riseml import labels
from riseml.cluster.api import Object
from riseml.cluster.store import RunsScripts
from riseml.dataclass import replace
from riseml.engines import Query
from riseml.engines.argo import archive, output_folder, shards
from riseml.engines.argo.run_reader import RunReader
from riseml.engines.argo.workflows import RUNS, number_of
from riseml.status import JobStatus, SetStatus

# Prints the name of each file with the times of a log, and the first time in it.
_STARTS = r"""
cd "/output/$1" 2> /dev/null || exit 0
printf '%s\n' */[0-9]*/.riseml/logs/*.times */[0-9]*/*/.riseml/logs/*.times |
  grep -v '[*]' | xargs -r awk 'FNR == 1 { print FILENAME, $1 }'
"""
_START = re.compile(r"(.+)/\.riseml/logs/(.+\.\d+)\.log\.times (\d{1,11})")

_Starts = Mapping[str, datetime]
"""When attempts began, by `<folder of the experiment>/<job>.<attempt>`."""


def read(reader: RunReader, project: str | None) -> Iterator[SetStatus]:
    """Yield the runs of a project, or of all, newest first.

    Raises:
        UnreachableError: the cluster does not answer, or the store is away.
    """
    user = reader.workflows.user
    query = Query(all=True, project=project)
    runs = {run.number: run for run in archive.runs(reader.store, user, query)}
    for number, workflows in _by_number(reader, project).items():
        if number not in runs or not archive.is_archived(workflows):
            documents = reader.workflows.in_full(workflows)
            runs[number] = reader.combined(sorted(documents, key=shards.order))
    starts = _starts(reader.store, user)
    for number in sorted(filter(None, runs), reverse=True):
        yield _with_starts(runs[number], starts)


def _by_number(reader: RunReader, project: str | None) -> dict[int, list[Object]]:
    selector = RUNS
    if project is not None:
        selector += f",{labels.PROJECT}={project}"
    by_number: dict[int, list[Object]] = {}
    for workflow in reader.workflows.metadata(reader.workflows.namespace, selector):
        by_number.setdefault(number_of(workflow), []).append(workflow)
    return by_number


def _starts(store: RunsScripts, user: str) -> _Starts:
    """Return when attempts began to run: Argo knows only when it made their nodes."""
    starts = {}
    for line in store.script(_STARTS, user).decode(errors="replace").splitlines():
        match = _START.fullmatch(line)
        if match is not None:
            time = datetime.fromtimestamp(int(match[3]), UTC)
            starts[f"{user}/{match[1]}/{match[2]}"] = time
    return starts


def _with_starts(run: SetStatus, starts: _Starts) -> SetStatus:
    experiments = []
    for experiment in run.experiments:
        folder = output_folder.folder(run, experiment)
        jobs = _jobs(experiment.jobs, experiment.id, folder, starts)
        experiments.append(replace(experiment, jobs=jobs))
    jobs = _jobs(run.jobs, run.id, run.folder, starts)
    return replace(run, experiments=tuple(experiments), jobs=jobs)


def _jobs(
    jobs: Iterable[JobStatus], owner: str, folder: str, starts: _Starts
) -> tuple[JobStatus, ...]:
    corrected = []
    for job in jobs:
        earlier = _jobs(job.earlier, owner, folder, starts)
        name = f"{job.id.removeprefix(f'{owner}.')}.{job.attempt}"
        started = starts.get(f"{folder}/{name}", job.started)
        corrected.append(replace(job, started=started, earlier=earlier))
    return tuple(corrected)
