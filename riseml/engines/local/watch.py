"""Observation of a run through the database: its status now and after every change.

    database version changed ──▶ read the run ──▶ Observation ──▶ changes, logs

Commands read the database, so a controller that restarts meanwhile does not disturb them.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

from riseml.engines.local import database_faults
from riseml.engines.local.file_changes import FileChanges
from riseml.engines.local.store import Store
from riseml.engines.selection import run_or_experiment
from riseml.ids import Id
from riseml.status import ExperimentStatus, SetStatus

# Between checks that a controller still serves the home.
_CONTROLLER_CHECK_SECONDS = 2.0
# Reading a large set takes long. It may take a fifth of the time, so that the jobs
# have the rest.
_READ_SHARE = 5


class OpenStore(Protocol):
    """A function that returns the home's database."""

    def __call__(self, *, check_controller: bool = False) -> Store:
        """Return the database; with `check_controller`, start a missing controller."""


class Observation(NamedTuple):
    """The status of a run, and whether it may have changed since the last observation."""

    status: SetStatus
    is_new: bool


def changes_of(home: Path) -> FileChanges:
    """Return the changes of a home's database."""
    # Every commit writes to the log of the database.
    return FileChanges([home / f"{database_faults.NAME}-wal"])


def observe(
    open_store: OpenStore, read: Callable[[], SetStatus], wait: Callable[[], None]
) -> Iterator[Observation]:
    """Yield observations of a run without end.

    `read` returns the status of the run, `wait` when the next observation is due.
    """
    version: tuple[int, int] | None = None
    next_read = 0.0
    last_check = time.monotonic()
    while True:
        now = time.monotonic()
        is_check_due = now - last_check > _CONTROLLER_CHECK_SECONDS
        if is_check_due:
            last_check = now
        store = open_store(check_controller=is_check_due)
        is_new = False
        if now >= next_read:
            # The version comes first: a change during the read is seen the next time.
            current = store.version()
            is_new, version = current != version, current
        if is_new:
            status = read()
            next_read = now + _READ_SHARE * (time.monotonic() - now)
        yield Observation(status, is_new)
        wait()


def changes(
    observations: Iterable[Observation], run: Id
) -> Iterator[SetStatus | ExperimentStatus]:
    """Yield a run's status, or an experiment's, with every change until it has ended.

    Raises:
        NotFoundError: the run has no such experiment.
    """
    for observation in observations:
        if observation.is_new:
            status = run_or_experiment(observation.status, run)
            yield status
            if status.state.is_terminal:
                return
