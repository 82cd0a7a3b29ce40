"""Database file of a home: what is wrong with it, in words, and what to do about that."""

import os
import sqlite3
import stat
from pathlib import Path

from riseml import disk
from riseml.errors import DamagedDatabaseError, HomeError

NAME = "riseml.db"

REPAIR = (
    "`riseml doctor --repair` keeps the file aside and rebuilds the list of runs."
    " Outputs and logs are not affected."
)

# SQLite has one code for a full disk, and others for a full quota and for shared memory.
_CODES_OF_FULL_DISKS = frozenset(
    (
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR_WRITE,
        sqlite3.SQLITE_IOERR_SHMSIZE,
    )
)
_AMBIGUOUS = (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR)
# SQLite keeps the kind of an error in the lowest byte of its code.
_KIND = 0xFF
# What these mean on a database that RiseML made: a damaged file, a file of another
# program, and a table or column that is not there.
_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)


def check(path: Path) -> None:
    """Check that a database can be at a path, or that nothing is there.

    Raises:
        DamagedDatabaseError: something else is there, such as a folder.
        HomeError: the user may not read the file.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise HomeError(
            f"{path} cannot be opened: {error.strerror}",
            "Make the folder readable for you, or choose another one with RISEML_HOME.",
        ) from error
    if not stat.S_ISREG(mode):
        # To open a pipe would block.
        kind = "a folder" if stat.S_ISDIR(mode) else "not a regular file"
        raise DamagedDatabaseError(f"{path} is {kind}, not a database", REPAIR)
    if not os.access(path, os.R_OK):
        raise HomeError(
            f"you may not read {path}",
            f"`chmod u+rw {path}` allows it, if the file belongs to you.",
        )


def explain(path: Path, act: str, error: Exception) -> HomeError:
    """Return an error of SQLite as one of the home; `act` is "opened", "read" or "written"."""
    # Python's own errors, about bytes that are not text, have no code.
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)
    if code & _KIND in _DAMAGE:
        return DamagedDatabaseError(f"the database {path} is damaged: {error}", REPAIR)
    failure = f"{path} cannot be {act}"
    if _means_full_disk(path, code):
        return disk.full(path, failure)
    return HomeError(f"{failure}: {error}", _advice(str(error)))


def _means_full_disk(path: Path, code: int) -> bool:
    if code in _CODES_OF_FULL_DISKS:
        return True
    # A file that cannot be made has the same code as one that may not be made.
    return code & _KIND in _AMBIGUOUS and not disk.has_room(path)


def _advice(error: str) -> str:
    if "unable to open" in error or "readonly" in error:
        return (
            "Make the folder writable for you, or choose another one with RISEML_HOME."
        )
    return "Try again. If the error persists, `riseml doctor` examines the database."
