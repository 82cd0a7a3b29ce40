"""Runs whose Workflow was deleted before their end was archived: what the volume has of them.

train ──▶ .riseml/created.json, the run as it was submitted ┐
jobs  ──▶ logs with their times, results                    ┴──▶ KILLED, reason LOST
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from operator import attrgetter
from typing import NamedTuple

from riseml import status
from riseml.cluster.api import Object
from riseml.cluster.store import RunsScripts
from riseml.dataclass import replace
from riseml.engines.argo import shards
from riseml.errors import RiseMLError
from riseml.status import (
    ExperimentStatus,
    JobStatus,
    SetStatus,
    State,
    reason_words,
)
from riseml.status.data import encode, to_data
from riseml.status.shards import merged
from riseml.status.values import count

FILE = ".riseml/created.json"
"""The record of a run at its start, below the run's folder in the output volume."""

_MESSAGE = (
    "its Workflow was deleted; logs, results and output still exist;"
    " `riseml delete {id}` removes them"
)
# Prints `<seconds of the first line> <seconds of the last line> <file>` for each log of a run.
_TIMES = r"""
cd "/output/$1" 2> /dev/null || exit 0
for file in .riseml/logs/*.log.times */.riseml/logs/*.log.times; do
  [ ! -s "$file" ] || awk 'NR == 1 { first = $1 } END { print first, $1, FILENAME }' "$file"
done
"""


class _Attempt(NamedTuple):
    """The last attempt of a job that has a log; `number` counts from 0."""

    number: int
    started: datetime
    finished: datetime


def first_record(documents: Sequence[Object], created: datetime) -> bytes:
    """Return the record of a run that is about to be submitted as these Workflows."""
    run = merged(list(map(status.read, documents)))
    experiments = tuple(
        replace(experiment, created=created) for experiment in run.experiments
    )
    run = replace(run, created=created, experiments=experiments)
    text = json.dumps(
        to_data(run), default=encode, ensure_ascii=False, separators=(",", ":")
    )
    return text.encode()


def as_ended(run: SetStatus) -> SetStatus:
    """Return a recorded run; one that had not ended was lost with its Workflow."""
    if run.state.is_terminal:
        return run
    message = _MESSAGE.format(id=run.id)
    experiments = []
    for experiment in run.experiments:
        jobs = _lost_jobs(experiment.jobs, message)
        lost = replace(
            experiment,
            state=State.KILLED,
            reason=reason_words.LOST,
            message=message,
            jobs=jobs,
        )
        experiments.append(lost)
    return replace(
        run,
        state=State.KILLED,
        reason=reason_words.LOST,
        message=message,
        counts=count(experiments),
        experiments=tuple(experiments),
        jobs=_lost_jobs(run.jobs, message),
    )


def is_lost(run: SetStatus) -> bool:
    """Return whether the record of a run does not know how it ended."""
    return run.reason == reason_words.LOST


def without_shards(run: SetStatus, documents: Iterable[Object]) -> SetStatus:
    """Return a lost run without the Workflows that still exist."""
    present = set(map(shards.index_of, documents))
    remaining = [shard for shard in run.workflows if shard.index not in present]
    experiments = [
        experiment for experiment in run.experiments if experiment.shard not in present
    ]
    return replace(run, shards=tuple(remaining), experiments=tuple(experiments))


def with_files(store: RunsScripts, run: SetStatus) -> SetStatus:
    """Return a lost run with the times and results that its jobs have left in the volume."""
    # Few runs are lost.
    from riseml.engines.argo import live_results  # noqa: PLC0415

    try:
        output = store.script(_TIMES, run.folder)
    except RiseMLError:
        return run
    attempts = _attempts(output.decode(errors="replace"))
    experiments = []
    for experiment in run.experiments:
        experiments.append(_with_times(experiment, attempts))
    started = map(attrgetter("started"), experiments)
    finished = map(attrgetter("finished"), experiments)
    timed = replace(
        run,
        started=min(filter(None, started), default=None),
        finished=max(filter(None, finished), default=None),
        experiments=tuple(experiments),
    )
    return live_results.with_results(store, timed) or timed


def _lost_jobs(jobs: Iterable[JobStatus], message: str) -> tuple[JobStatus, ...]:
    lost = []
    for job in jobs:
        lost.append(
            replace(job, state=State.KILLED, reason=reason_words.LOST, message=message)
        )
    return tuple(lost)


def _attempts(text: str) -> dict[str, _Attempt]:
    """Return the last attempt of each job, by `<folder of the experiment> <job>`."""
    attempts: dict[str, _Attempt] = {}
    for line in text.splitlines():
        first, _, rest = line.partition(" ")
        last, _, path = rest.partition(" ")
        folder, _, name = path.rpartition(".riseml/logs/")
        job, _, number = name.removesuffix(".log.times").rpartition(".")
        if not (first.isdecimal() and last.isdecimal() and number.isdecimal()):
            continue
        attempt = _Attempt(int(number), _time(first), _time(last))
        key = f"{folder.rstrip('/')} {job}"
        highest = attempts.get(key, attempt)
        attempts[key] = max(highest, attempt)
    return attempts


def _time(seconds: str) -> datetime:
    return datetime.fromtimestamp(int(seconds), UTC)


def _with_times(
    experiment: ExperimentStatus, attempts: Mapping[str, _Attempt]
) -> ExperimentStatus:
    jobs = []
    for job in experiment.jobs:
        name = job.id.removeprefix(f"{experiment.id}.")
        attempt = attempts.get(f"{experiment.folder} {name}")
        if attempt is None:
            jobs.append(job)
            continue
        number, started, finished = attempt
        timed = replace(job, attempt=number, started=started, finished=finished)
        jobs.append(timed)
    started_at = [job.started for job in jobs if job.started]
    finished_at = [job.finished for job in jobs if job.finished]
    return replace(
        experiment,
        started=min(started_at, default=None),
        finished=max(finished_at, default=None),
        jobs=tuple(jobs),
    )
