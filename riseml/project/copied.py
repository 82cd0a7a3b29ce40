"""Files that `riseml cp` wrote into projects, which later snapshots leave out.

    riseml cp output://… . ──▶ <home>/copied.json: path ──▶ size, change time ──▶ CopiedFiles

A model or a folder of logs that a user looks at is not the code of the next run. A file
counts as copied only as long as it is unchanged: who edits it means it to be code. A file
that existed before stays code as well.
"""

import json
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from riseml import home_folder
from riseml.errors import HomeError
from riseml.project import AnyPath, ignore

SOURCE = b"riseml cp"
"""Name of what excludes such files, beside the names of ignore files."""

_Version = tuple[int, int]
"""Size of a file, and the nanoseconds of its modification time."""


class CopiedFiles:
    """Excluder of the copied files below a project's folder."""

    name = SOURCE
    is_git = False

    def __init__(self, top: bytes, versions: dict[bytes, _Version]) -> None:
        self._top, self._versions = top, versions
        self.content = repr(sorted(versions.items())).encode()

    def verdict(self, path: bytes, name: bytes, is_folder: bool) -> bool | None:
        """Return True for a file that nobody has changed since it was copied."""
        del name
        version = None if is_folder else self._versions.get(path)
        if version is None or version != _version(os.path.join(self._top, path)):
            return None
        return True


class CopyRecord:
    """Record of one copy into the folders of this machine; `end` writes what it copied."""

    def __init__(self, home: AnyPath, targets: Iterable[str]) -> None:
        self._home = home
        self._versions = _load(home)
        self._new = set(filter(self._is_new, map(_real_path, targets)))

    def end(self) -> None:
        """Record the files that exist now, also after an interruption of the copy."""
        for path in filter(_is_in_project, self._new):
            self._versions[path] = _version(path)
        current = {}
        for path, version in self._versions.items():
            if version == _version(path) != _ABSENT:
                current[os.fsdecode(path)] = version
        file = _file(self._home)
        if current or os.path.exists(file):
            _write(file, json.dumps(current))

    def _is_new(self, path: bytes) -> bool:
        """Return whether a file does not exist, or is as an earlier copy wrote it."""
        version = _version(path)
        return version in (_ABSENT, self._versions.get(path))


_ABSENT: _Version = (-1, -1)


def rules(home: AnyPath, top: bytes) -> ignore.Chain:
    """Return what excludes the copied files below a project's folder."""
    prefix = os.path.join(os.path.realpath(top), b"")
    versions = {}
    for path, version in _load(home).items():
        if path.startswith(prefix):
            versions[path[len(prefix) :]] = version
    return ((CopiedFiles(top, versions), 0, b""),) if versions else ()


def _load(home: AnyPath) -> dict[bytes, _Version]:
    versions = {}
    # Without the record, copied files are code like all others.
    with suppress(OSError, ValueError), open(_file(home), encoding="utf-8") as file:
        for path, (size, time) in json.load(file).items():
            versions[os.fsencode(path)] = (size, time)
    return versions


def _write(file: str, text: str) -> None:
    path = Path(file)
    # A copy is complete, whether or not it is recorded.
    with suppress(OSError, HomeError):
        home_folder.prepare(path.parent)
        home_folder.replace_file(path, text)


def _file(home: AnyPath) -> str:
    return os.path.join(home, "copied.json")


def _version(path: bytes) -> _Version:
    try:
        status = os.lstat(path)
    except OSError:
        return _ABSENT
    return status.st_size, status.st_mtime_ns


def _real_path(path: str) -> bytes:
    """Return a path whose folder has no links; the file itself may be one."""
    folder, name = os.path.split(os.fsencode(path))
    return os.path.join(os.path.realpath(folder), name)


def _is_in_project(path: bytes) -> bool:
    """Return whether a folder around a file has a configuration of RiseML."""
    folder = os.path.dirname(path)
    while not any(map(_is_configuration, _names(folder))):
        parent = os.path.dirname(folder)
        if parent == folder:
            return False
        folder = parent
    return True


def _names(folder: bytes) -> list[bytes]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _is_configuration(name: bytes) -> bool:
    return name.startswith(b"riseml") and name.endswith(b".yml")
