"""Connections to the file of a home's database, on any disk.

write, read ──▶ the file itself; readers share memory with the writer, in the file riseml.db-shm
read        ──▶ a copy in memory, where that file cannot be made: full disk, read-only home
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from riseml import home_folder

_LOCK_TIMEOUT_SECONDS = 10


def connect(path: Path | str, *, uri: bool = False) -> sqlite3.Connection:
    """Return a connection without implicit transactions; `Store` excludes other threads."""
    connection = sqlite3.connect(
        path,
        isolation_level=None,
        timeout=_LOCK_TIMEOUT_SECONDS,
        check_same_thread=False,
        uri=uri,
    )
    connection.row_factory = sqlite3.Row
    return connection


def connect_to_write(path: Path) -> sqlite3.Connection:
    """Return a connection to a file that it makes, for this user only.

    SQLite gives the files beside it the same mode.
    """
    os.close(home_folder.open_file(path, os.O_RDWR))
    connection = connect(path)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("PRAGMA secure_delete=FAST")
    return connection


def execute_and_erase(
    connection: sqlite3.Connection, statement: str, values: tuple[object, ...]
) -> None:
    """Change rows, and overwrite all that they contained.

    Overwriting costs too much for every change of a large set.
    """
    connection.execute("PRAGMA secure_delete=ON")
    try:
        connection.execute(statement, values)
    finally:
        connection.execute("PRAGMA secure_delete=FAST")


def empty_log(connection: sqlite3.Connection) -> bool:
    """Erase earlier versions of what was changed; return whether none are left.

    They remain in the log of SQLite, which readers may need at this moment.
    """
    try:
        connection.execute("PRAGMA busy_timeout=0")
        row = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.OperationalError:
        # A full disk, for instance.
        return False
    finally:
        connection.execute(f"PRAGMA busy_timeout={_LOCK_TIMEOUT_SECONDS * 1000}")
    is_busy = row[0]
    return not is_busy


def connect_to_read(path: Path) -> tuple[sqlite3.Connection, bool]:
    """Return a connection that reads, and whether it reads a copy.

    A copy never changes.
    """
    shared_memory = path.with_name(f"{path.name}-shm")
    if home_folder.is_foreign(path.parent) and not shared_memory.exists():
        # Its owner could not use a file that this user makes.
        return in_memory(path), True
    connection = connect(path)
    try:
        # The first read makes the file of the shared memory.
        connection.execute("PRAGMA user_version").fetchone()
    except sqlite3.OperationalError:
        connection.close()
        return in_memory(path), True
    return connection, False


def in_memory(path: Path) -> sqlite3.Connection:
    """Return a copy in memory; nothing is written beside the file."""
    copy = connect(":memory:")
    try:
        with _source(path) as source:
            source.backup(copy)
    except BaseException:
        copy.close()
        raise
    return copy


@contextmanager
def _source(path: Path) -> Iterator[sqlite3.Connection]:
    """Yield a connection to a database that shares no memory with other processes."""
    log = path.with_name(f"{path.name}-wal")
    if not log.exists() or not log.stat().st_size:
        # The last process to use it has moved all changes into the file.
        uri = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
        with closing(connect(uri, uri=True)) as source:
            yield source
    elif _may_write(path):
        with closing(connect(path)) as source:
            # An exclusive connection keeps the index of the log in its own memory.
            source.execute("PRAGMA locking_mode=EXCLUSIVE")
            yield source
    else:
        # Only homes that cannot be written need these, and they load much.
        import shutil  # noqa: PLC0415
        import tempfile  # noqa: PLC0415

        with tempfile.TemporaryDirectory(prefix="riseml-") as folder:
            for file in (path, log):
                shutil.copyfile(file, Path(folder, file.name))
            with closing(connect(Path(folder, path.name))) as source:
                yield source


def _may_write(path: Path) -> bool:
    if home_folder.is_foreign(path.parent):
        return False
    return os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)


def file_id(path: Path) -> tuple[int, int] | None:
    """Return what distinguishes a file from others, None if there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
