"""Replacement of a home's database by another one, under the lock of the home.

    new database in a folder of its own ──fill──▶ complete ──rename──▶ riseml.db
                                   riseml.db ──rename──▶ riseml.db.damaged-<time>-<n>

The new one gets its name only when it is complete, so an interruption loses nothing.
"""

import os
import shutil
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from riseml import disk
from riseml.engines.local import database_faults, tables
from riseml.engines.local.interpreter.node import COLUMNS
from riseml.engines.local.rebuild import Restored
from riseml.engines.local.store import Store
from riseml.errors import HomeError

_MAX_FAULTS = 5
# They fail if a table or a column is missing.
_SELECTIONS = (
    f"SELECT {tables.ALL_COLUMNS} FROM runs",  # noqa: S608
    "SELECT run, id, sequence, phase FROM nodes",
    "SELECT run, sub, data FROM experiments",
    "SELECT name, value FROM counters",
)
_SIDE_FILES = ("-wal", "-shm", "")


def replace_database(home: Path, fill: Callable[[Store], Restored]) -> list[str]:
    """Replace the database; return what was done, in sentences.

    `fill` writes into the new one. The old one is kept aside.

    Raises:
        HomeError: the new one cannot be written; nothing was changed.
    """
    path = home / database_faults.NAME
    folder = home / f".riseml-{database_faults.NAME}"
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        restored, last_number = _fill(folder, fill)
        done = _set_aside(path)
        (folder / path.name).rename(path)
    except OSError as error:
        failure = f"{path} cannot be replaced"
        if disk.means_full(error):
            raise disk.full(path, failure) from error
        raise HomeError(
            f"{failure}: {error.strerror}", f"Make {home} writable for you."
        ) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return [*done, *report(restored), f"The next run will be {last_number + 1}."]


def _fill(folder: Path, fill: Callable[[Store], Restored]) -> tuple[Restored, int]:
    # SQLite gives its side files the mode of the database.
    path = folder / database_faults.NAME
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    store = Store.create(folder, COLUMNS)
    try:
        return fill(store), store.last_number()
    finally:
        store.close()


def _set_aside(path: Path) -> list[str]:
    """Rename a database and its side files; return what was done."""
    suffix = time.strftime(".damaged-%Y%m%d-%H%M%S")
    count = 1
    while os.path.lexists(aside := path.with_name(f"{path.name}{suffix}-{count}")):
        count += 1
    is_kept = False
    for name in _SIDE_FILES:
        file = path.with_name(f"{path.name}{name}")
        if os.path.lexists(file):
            file.rename(aside.with_name(f"{aside.name}{name}"))
            is_kept = True
    return [f"The old file is kept as {aside}."] if is_kept else []


def faults_of_file(store: Store) -> list[str]:
    """Return what SQLite finds wrong with a database, at most a few faults.

    Raises:
        DamagedDatabaseError: it cannot even be examined, or a table is missing.
    """
    for select in _SELECTIONS:
        store.rows(f"{select} LIMIT 0")
    faults = [row[0] for row in store.rows(f"PRAGMA integrity_check({_MAX_FAULTS})")]
    return [] if faults == ["ok"] else faults


def report(restored: Restored) -> list[str]:
    """Return what was restored, and what was not, in sentences."""
    done = []
    if restored.continued:
        numbers = _ranges(restored.continued)
        done.append(f"Runs that have not ended continue: {numbers}.")
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
    texts = []
    for first, last in ranges:
        texts.append(str(first) if first == last else f"{first}-{last}")
    return ", ".join(texts)
