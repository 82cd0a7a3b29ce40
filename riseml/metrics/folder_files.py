"""Files with metrics in an experiment's output folder on this machine."""

import itertools
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from riseml.metrics.files import LOGS, SKIPPED_FOLDERS, File, kind_of

# A walk through more folders than that would take long.
_MAX_FOLDERS = 10_000


def walk(root: Path) -> Iterator[File]:
    """Yield the logs and the files with metrics below an output folder."""
    folders = itertools.chain(os.walk(root), os.walk(root / LOGS.removesuffix("/")))
    for folder, subfolders, names in itertools.islice(folders, _MAX_FOLDERS):
        subfolders[:] = set(subfolders) - SKIPPED_FOLDERS
        for name in names:
            full_path = os.path.join(folder, name)  # noqa: PTH118 - for each of many files
            path = full_path.removeprefix(f"{root}/")
            # Earlier logs and their indexes tell when the last attempt began.
            if kind_of(path) or path.startswith(LOGS):
                with suppress(FileNotFoundError):
                    status = os.lstat(full_path)
                    yield File(path, status.st_size, status.st_mtime)


def read(path: Path, start: int, size: int) -> bytes:
    """Return bytes of a file, none if it cannot be read."""
    try:
        with path.open("rb") as file:
            file.seek(start)
            return file.read(size)
    except OSError:
        return b""
