"""Estimates of how long experiments and sets will still run; None where nothing is known.

experiment   its progress, and how long its attempt has run      3 of 10 after 6 min ──▶ 14 min
set          the mean duration of finished experiments, and how many run at once
"""

from datetime import datetime, timedelta

from riseml.status.values import (
    TERMINAL,
    ExperimentStatus,
    JobStatus,
    SetStatus,
    State,
)

_NOTHING = timedelta(0)
_ACTIVE = frozenset({State.RUNNING, State.STARTING})
_WAITING = frozenset(State) - TERMINAL - _ACTIVE


def running_since(experiment: ExperimentStatus) -> datetime | None:
    """Return when the present attempt of an experiment started, None if it does not run."""
    if experiment.state is not State.RUNNING:
        return None
    running = filter(_is_running, experiment.jobs)
    starts = filter(None, map(_start, running))
    # Lists have no jobs.
    return max(starts, default=experiment.started)


def share(progress: tuple[int, int] | None) -> float | None:
    """Return a progress as a number from 0 to 1, None without progress."""
    if progress is None:
        return None
    done, total = progress
    return min(max(done / max(total, 1), 0.0), 1.0)


def of_experiment(experiment: ExperimentStatus, now: datetime) -> timedelta | None:
    """Return how long an experiment will still run, by its own progress."""
    started = running_since(experiment)
    done = share(experiment.progress)
    if started is None or not done:
        return None
    reported = experiment.progressed or now
    # The clock of a volume may differ from ours.
    if not started < reported <= now:
        reported = now
    remaining = (reported - started) * ((1 - done) / done) - (now - reported)
    # A program that is late has shown that its past says nothing about the rest.
    return remaining if remaining >= _NOTHING else None


def of_set(run: SetStatus, now: datetime) -> timedelta | None:
    """Return how long a set will still run, if its other experiments take as long as the finished ones."""
    mean = _mean_duration(run)
    active = list(filter(_is_active, run.experiments))
    waiting = sum(map(_is_waiting, run.experiments))
    if not active or (waiting and mean is None):
        return None
    remaining = []
    for experiment in active:
        rest = _remaining(experiment, mean, now)
        if rest is None:
            return None
        remaining.append(rest)
    # As many run at once as now: concurrency and free resources both limit that.
    work = sum(remaining, waiting * (mean or _NOTHING))
    return max(work / len(active), *remaining)


def _remaining(
    experiment: ExperimentStatus, mean: timedelta | None, now: datetime
) -> timedelta | None:
    by_progress = of_experiment(experiment, now)
    if by_progress is not None or mean is None:
        return by_progress
    elapsed = now - (running_since(experiment) or now)
    return max(mean - elapsed, _NOTHING)


def _mean_duration(run: SetStatus) -> timedelta | None:
    """Return the mean duration of finished experiments; others may have ended early."""
    durations = []
    for experiment in filter(_is_finished, run.experiments):
        if experiment.started and experiment.finished:
            durations.append(experiment.finished - experiment.started)
    if not durations:
        return None
    return sum(durations, _NOTHING) / len(durations)


def _start(job: JobStatus) -> datetime | None:
    return job.started


def _is_running(job: JobStatus) -> bool:
    return job.state is State.RUNNING


def _is_finished(experiment: ExperimentStatus) -> bool:
    return experiment.state is State.FINISHED


def _is_active(experiment: ExperimentStatus) -> bool:
    return experiment.state in _ACTIVE


def _is_waiting(experiment: ExperimentStatus) -> bool:
    return experiment.state in _WAITING
