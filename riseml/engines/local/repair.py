"""Repair of a home's list of runs: `riseml doctor --repair`.

    examine ──▶ fault of the file ─────▶ new database from run.json files, the old one kept aside
           └──▶ faults of some records ─▶ these rows from their run.json files

A new database gets its name only when it is complete, so an interrupted repair changes
nothing, or can be repeated.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from riseml.engines.local import (
    database_check,
    outputs,
    protocol,
    rebuild,
)
from riseml.engines.local.interpreter.node import COLUMNS
from riseml.engines.local.rebuild import Restored
from riseml.engines.local.replacement import replace_database, report
from riseml.engines.local.salvage import save_unfinished
from riseml.engines.local.store import Store
from riseml.errors import HomeError, RiseMLError, UnreachableError

_POLL_SECONDS = 0.05


def repair(home: Path) -> list[str]:
    """Repair the database of a home, and return what was done, in sentences.

    A controller that is running rebuilds a damaged file itself; otherwise none may run
    meanwhile. Jobs continue, except those of runs that are not listed afterwards.

    Raises:
        HomeError: nothing was changed, because another version of riseml made the
            database, the home cannot be written, or a process holds its lock.
    """
    if not home.is_dir():
        return []
    examination = database_check.examine(home)
    if examination.is_sound:
        return []
    if examination.fault and protocol.answers(home):
        # It knows its active runs, and loses none of them.
        with suppress(UnreachableError):
            return [f"{examination.fault}.", *protocol.call(home, "repair")]
    with _lock(home):
        examination = database_check.examine(home)
        if examination.fault:
            done = [f"{examination.fault}."]
            done += replace_database(home, lambda new: _restore(new, home))
        else:
            done = _repair_records(home, examination)
    if any((home / "runs").glob("*")):
        # It ends what belongs to no listed run.
        protocol.ensure(home)
    return done


def _restore(new: Store, home: Path) -> Restored:
    """Fill a new database with what the damaged one and the outputs still have."""
    continued: list[int] = []
    with suppress(HomeError):
        continued = save_unfinished(Store(home), new)
    restored = rebuild.restore(new, home)
    restored.continued = continued
    return restored


def _repair_records(home: Path, examination: database_check.Examination) -> list[str]:
    """Restore the damaged records, and list what is not listed."""
    damaged = examination.records or {}
    if not (damaged or examination.unlisted):
        return []
    folders = {int(folder.name): folder for folder in outputs.folders(home)}
    store = Store.create(home, COLUMNS)
    done = []
    try:
        for number, fault in damaged.items():
            done.append(f"{fault}.")
            if _has_archive(folders.get(number)):
                with store.transaction():
                    store.delete_run(number)
            else:
                done.append(
                    f"Run {number} has no readable {outputs.ARCHIVE}, so nothing was"
                    f" changed: `riseml delete {number}` removes it."
                )
        return done + report(rebuild.restore(store, home))
    finally:
        store.close()


def _has_archive(folder: Path | None) -> bool:
    if folder is None:
        return False
    try:
        rebuild.read(folder)
    except RiseMLError:
        return False
    return True


@contextmanager
def _lock(home: Path) -> Iterator[None]:
    """Stop the controller, and hold the home's lock so that no other one starts."""
    path = home / "controller.lock"
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise HomeError(
            f"{home} cannot be repaired: {error}", "Make it writable for you."
        ) from error
    try:
        limit = time.monotonic() + protocol.START_TIMEOUT_SECONDS
        while not _try_to_lock(descriptor):
            protocol.stop_controller(home)
            if time.monotonic() > limit:
                raise HomeError(
                    f"{path} is held by a process that does not answer",
                    "Stop that process, then try again.",
                )
            time.sleep(_POLL_SECONDS)
        yield
    finally:
        os.close(descriptor)


def _try_to_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
