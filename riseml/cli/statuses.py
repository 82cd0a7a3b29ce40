"""Parts of a run that commands print: runs, experiments and jobs."""

import re
from collections.abc import Iterable
from typing import TypeGuard

from riseml.cli.table import clean
from riseml.engines import Change
from riseml.status import ExperimentStatus, JobStatus, SetStatus

STOPPED = "stopped by `riseml kill`"
"""The message of what a user has killed."""

SAME_BUILD = "another run is doing the same install steps"
"""The message of what waits for a build that is at work for another run."""

# As Argo puts them
_SHUTDOWN = ("Stopped with strategy", "workflow shutdown with strategy")
_BUILD_LOCK = re.compile(r"Waiting for \S*/riseml-build-\S+ lock")

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
        return STOPPED
    if _BUILD_LOCK.match(status.message):
        return SAME_BUILD
    # A TensorBoard is stopped when its run ends.
    is_killed = status.reason == "KILLED" and not status.id.endswith(".tensorboard")
    return status.message or (STOPPED if is_killed else "")


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


def limited(lines: list[str], most: int, advice: str) -> list[str]:
    """Return the first lines, and one that counts the others if there are more."""
    hidden = len(lines) - most
    if hidden <= 0:
        return lines
    return [*lines[:most], f"and {hidden} more; {advice}"]
