"""Parts of a run that commands print: runs, experiments and jobs."""

import re
from collections.abc import Iterable
from datetime import datetime
from typing import TypeGuard

from riseml import phrases
from riseml.cli import clock, symbols
from riseml.cli.table import clean
from riseml.engines import Change
from riseml.status import ExperimentStatus, JobStatus, SetStatus, State

STOPPED = "stopped by `riseml kill`"
"""The message of what a user has killed."""

SAME_BUILD = "another run is doing the same install steps"
"""The message of what waits for a build that is at work for another run."""

# As Argo puts them
_SHUTDOWN = ("Stopped with strategy", "workflow shutdown with strategy")
_BUILD_LOCK = r"Waiting for \S*/riseml-build-\S+ lock"

AnyStatus = SetStatus | ExperimentStatus | JobStatus


def single_experiment(status: AnyStatus) -> ExperimentStatus | None:
    """Return an experiment itself, or the only experiment of a run that is not a set.

    Sets and jobs have none, and neither has a run listed without experiments.
    """
    if isinstance(status, ExperimentStatus):
        return status
    if isinstance(status, JobStatus) or status.is_set:
        return None
    return status.experiments[0] if status.experiments else None


def experiment_of(status: AnyStatus) -> ExperimentStatus:
    """Return an experiment itself, or the only one of a run; an empty one for sets and jobs."""
    return single_experiment(status) or ExperimentStatus(status.id)


def message(status: AnyStatus | Change) -> str:
    """Return the message of a part of a run, in the words of RiseML instead of Argo's."""
    if status.message.startswith(_SHUTDOWN):
        # A kill that ends a hold has stopped nothing that had not failed.
        experiment = _single_failure(status)
        return message(experiment) if experiment else STOPPED
    if re.match(_BUILD_LOCK, status.message):
        return SAME_BUILD
    # A TensorBoard is stopped when its run ends.
    if not isinstance(status, SetStatus | Change) and status.held_until:
        return _held(status, status.held_until)
    is_killed = status.reason == "KILLED" and not status.id.endswith(".tensorboard")
    return status.message or (STOPPED if is_killed else "")


def _single_failure(status: AnyStatus | Change) -> ExperimentStatus | None:
    """Return the only experiment of a run if it has failed."""
    if isinstance(status, Change):
        return None
    experiment = single_experiment(status)
    is_failure = experiment is not None and experiment.state is State.FAILED
    return experiment if is_failure and experiment is not status else None


def _held(status: ExperimentStatus | JobStatus, until: datetime) -> str:
    remaining = phrases.rough(until - clock.now())
    return (
        f"{status.message}, held for another {remaining}: `riseml shell {_held_id(status)}` gets in,"
        f" `riseml release {status.id}` releases it"
    )


def _held_id(status: ExperimentStatus | JobStatus) -> str:
    """Return the id of a held job; an experiment of several jobs has no shell of its own."""
    if isinstance(status, JobStatus) or len(status.jobs) == 1:
        return status.id
    held = [job.id for job in status.jobs if job.held_until]
    return held[0] if held else status.id


def is_set(status: AnyStatus) -> TypeGuard[SetStatus]:
    """Return whether this is a run with several experiments."""
    return isinstance(status, SetStatus) and status.is_set


def notes(experiments: Iterable[ExperimentStatus]) -> list[str]:
    """Return the notes of experiments, each after an id."""
    lines = []
    for experiment in experiments:
        for note in experiment.notes:
            line = f"{experiment.id}: {clean(note)}"
            lines.append(line)
    return lines


def marked(runs: Iterable[SetStatus]) -> list[str]:
    """Return a line for each run that is suspended, or has jobs that are held or idle.

    They stand below an empty line.
    """
    lines = []
    for run in runs:
        is_marked = symbols.is_held(run) or symbols.is_idle(run)
        if is_marked or symbols.is_suspended(run):
            lines.append(f"{run.id}: {run.message}; `riseml why {run.id}` says more")
    return ["", *lines] if lines else []


def limited(lines: list[str], most: int, advice: str) -> list[str]:
    """Return the first lines, and one that counts the others if there are more."""
    hidden = len(lines) - most
    if hidden <= 0:
        return lines
    return [*lines[:most], f"and {hidden} more; {advice}"]
