"""Folder of a home (RISEML_HOME): private to one user, or refused; the mode of an existing one never changes.

missing ──▶ prepare ──▶ made with mode 0700
others may write to it ──▶ refused
another user owns it   ──▶ readable if it is a home, refused otherwise
others may read it     ──▶ used; what RiseML makes in it has mode 0700 or 0600
"""

import os
import stat

# `threading` has the same function, and takes 1 ms to load.
from _thread import get_ident
from pathlib import Path

from riseml import disk
from riseml.errors import HomeError

DATABASE = "riseml.db"
"""Name of the database of a home, which distinguishes it from other folders."""

_FOLDER_MODE, _FILE_MODE = 0o700, 0o600


def check(home: Path) -> None:
    """Check that a folder, if it exists, may be read as a home.

    Raises:
        HomeError: others may write to it, or another user's folder is not a home.
    """
    status = _status(home)
    if status is None:
        return
    if _others_may_write(status):
        raise _shared(home, status)
    if status.st_uid != os.geteuid() and not (home / DATABASE).exists():
        raise _foreign(home)


def prepare(home: Path) -> None:
    """Make a home if there is none, or check that this user may write to it.

    Raises:
        HomeError: it cannot be made, others may write to it, or another user owns it.
    """
    try:
        home.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
        status = home.stat()
    except OSError as error:
        raise unusable(home, error) from error
    if _others_may_write(status):
        raise _shared(home, status)
    if status.st_uid != os.geteuid():
        raise _foreign(home)
    if not os.access(home, os.W_OK | os.X_OK):
        raise unusable(home, PermissionError("not writable"))


def is_foreign(home: Path) -> bool:
    """Return whether another user owns a home."""
    status = _status(home)
    return status is not None and status.st_uid != os.geteuid()


def make_folder(path: Path) -> None:
    """Make a folder of a home, unless it exists; no other user may enter it."""
    path.mkdir(mode=_FOLDER_MODE, exist_ok=True)


def open_file(path: Path | str, flags: int) -> int:
    """Open a file of a home, and make it for this user only; return the descriptor."""
    return os.open(path, flags | os.O_CREAT | os.O_CLOEXEC, _FILE_MODE)


def replace_file(path: Path, text: str) -> None:
    """Write a file of a home, for this user only; readers see the old text or the new one.

    Several commands and threads may do so at once.

    Raises:
        OSError: it cannot be written.
    """
    unfinished = path.with_name(f"{path.name}.{os.getpid()}-{get_ident()}")
    # The mode must be right before the first byte is written.
    descriptor = open_file(unfinished, os.O_WRONLY | os.O_TRUNC)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    unfinished.replace(path)


def unusable(home: Path, error: OSError) -> HomeError:
    """Return the error that a home cannot be made or written."""
    if disk.means_full(error):
        return disk.full(home, f"the RiseML home {home} cannot be used")
    return HomeError(
        f"the RiseML home {home} cannot be used: {error.strerror or error}",
        "Make it writable for you, or choose another folder with RISEML_HOME.",
    )


def _status(home: Path) -> os.stat_result | None:
    try:
        return home.stat()
    except OSError:
        return None


def _others_may_write(status: os.stat_result) -> bool:
    if status.st_mode & stat.S_IWOTH:
        return True
    return bool(status.st_mode & stat.S_IWGRP) and not _is_private_group(status)


def _is_private_group(status: os.stat_result) -> bool:
    """Return whether a group belongs to the owner alone, as many systems set it up."""
    # Few homes are writable for a group.
    import grp  # noqa: PLC0415
    import pwd  # noqa: PLC0415

    try:
        group = grp.getgrgid(status.st_gid)
        owner = pwd.getpwuid(status.st_uid)
    except KeyError:
        return False
    is_owners = group.gr_gid == owner.pw_gid and group.gr_name == owner.pw_name
    return is_owners and not set(group.gr_mem) - {owner.pw_name}


def _shared(home: Path, status: os.stat_result) -> HomeError:
    mode = stat.S_IMODE(status.st_mode)
    return HomeError(
        f"{home} cannot be a RiseML home: other users may write to it (mode {mode:o})",
        f"Choose a folder of your own: RISEML_HOME={home / 'riseml'}. It is made with mode 700.",
    )


def _foreign(home: Path) -> HomeError:
    return HomeError(
        f"{home} cannot be your RiseML home: it belongs to another user",
        "Choose a folder of your own with RISEML_HOME.",
    )
