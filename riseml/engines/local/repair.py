"""Repair of a home's list of runs: `riseml doctor --repair`.

    examine ──▶ fault of the file ─────▶ new database from run.json files, the old one kept aside
           └──▶ faults of some records ─▶ these rows from their run.json files

A new database gets its name only when it is complete, so an interrupted repair changes
nothing, or can be repeated.
"""

import fcntl
import os
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from riseml.engines.local import (
    database_check,
    database_faults,
    outputs,
    protocol,
    rebuild,
)
from riseml.engines.local.interpreter.node import COLUMNS
from riseml.engines.local.rebuild import Restored
from riseml.engines.local.store import Store
from riseml.errors import HomeError, RiseMLError

_SIDE_FILES = ("-wal", "-shm", "")
_POLL_SECONDS = 0.05


def repair(home: Path) -> list[str]:
    """Repair the database of a home, and return what was done, in sentences.

    The controller is stopped meanwhile; jobs continue. Jobs of runs that are not listed
    afterwards are ended.

    Raises:
        HomeError: nothing was changed, because another version of riseml made the
            database, the home cannot be written, or a process holds its lock.
    """
    if not home.is_dir():
        return []
    with _lock(home):
        examination = database_check.examine(home)
        if examination.fault:
            done = [f"{examination.fault}."]
            done += _rebuild(home)
        else:
            done = _repair_records(home, examination)
    if any((home / "runs").glob("*")):
        # It ends what belongs to no listed run.
        protocol.ensure(home)
    return done


def _rebuild(home: Path) -> list[str]:
    """Replace the database by a new one, and keep the old one aside."""
    folder = home / f".riseml-{database_faults.NAME}"
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        store = Store.create(folder, COLUMNS)
        restored = rebuild.restore(store, home)
        next_number = store.last_number() + 1
        store.close()
        done = _set_aside(home)
        (folder / database_faults.NAME).rename(home / database_faults.NAME)
    except OSError as error:
        raise HomeError(
            f"{home} cannot be repaired: {error}",
            "Make the folder writable for you, or free some space on its disk.",
        ) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return [*done, *_report(restored), f"The next run will be {next_number}."]


def _set_aside(home: Path) -> list[str]:
    """Rename the database and its side files; return what was done."""
    path = home / database_faults.NAME
    suffix = time.strftime(".damaged-%Y%m%d-%H%M%S")
    count = 1
    while os.path.lexists(aside := path.with_name(f"{path.name}{suffix}-{count}")):
        count += 1
    kept = False
    for name in _SIDE_FILES:
        file = path.with_name(f"{path.name}{name}")
        if os.path.lexists(file):
            file.rename(aside.with_name(f"{aside.name}{name}"))
            kept = True
    return [f"The old file is kept as {aside}."] if kept else []


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
                store.discard_run(number)
            else:
                done.append(
                    f"Run {number} has no readable {outputs.ARCHIVE}, so nothing was"
                    f" changed: `riseml delete {number}` removes it."
                )
        return done + _report(rebuild.restore(store, home))
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


def _report(restored: Restored) -> list[str]:
    """Return what was restored, and what was not, in sentences."""
    done = []
    if restored.complete:
        count = len(restored.complete)
        noun = "run" if count == 1 else "runs"
        numbers = _ranges(restored.complete)
        done.append(f"Restored {count} {noun} from their run.json: {numbers}.")
    for number, reason in restored.incomplete.items():
        done.append(
            f"Run {number} is listed as FAILED, with its output only: {reason}."
        )
    for folder, reason in restored.left_out.items():
        done.append(f"{folder} is not listed: {reason}.")
    return done


def _ranges(numbers: Iterable[int]) -> str:
    """Return numbers in ascending order as text, such as `1-4, 7`."""
    ranges: list[list[int]] = []
    for number in numbers:
        if ranges and ranges[-1][1] == number - 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    return ", ".join(
        str(first) if first == last else f"{first}-{last}" for first, last in ranges
    )


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
