"""Folder of a project: the current one, or the nearest above it that has a riseml.yml."""

import os
from pathlib import Path

CONFIG_FILE = "riseml.yml"


def find(start: Path) -> Path | None:
    """Return the nearest folder with a riseml.yml, from `start` upwards; None if there is none.

    The search ends below the user's home and at folders of other users: a file there
    that somebody else wrote must not decide what runs.
    """
    home = Path(os.path.expanduser("~"))  # noqa: PTH111  # It never raises.
    for folder in (start, *start.parents):
        if folder != start and (folder == home or not _is_own(folder)):
            return None
        if os.path.lexists(folder / CONFIG_FILE):
            return folder
    return None


def config_file() -> str:
    """Return the path of the project's riseml.yml, relative to the current folder.

    Without one it is where the file should be: in the current folder.
    """
    current = Path.cwd()
    folder = find(current)
    if folder in (None, current):
        return CONFIG_FILE
    return os.path.relpath(folder / CONFIG_FILE, current)


def _is_own(folder: Path) -> bool:
    try:
        return folder.stat().st_uid == os.getuid()
    except OSError:
        return False
