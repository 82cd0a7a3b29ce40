"""Copies of environments: states that later builds continue from.

    <home>/envs/<key>/           an environment; the state of its build after its last step
    <home>/envs/<key>.prefix/    the state of a build after an earlier step
        .state                   JSON: the environment that it is a copy of, a digest of its links

    environment ──save──▶ state ──restore──▶ another environment

A state shares the files of installed packages with its environment as hard links, since
installers replace files and do not write into them. If one was written into all the same,
the digest of sizes and times shows it, and the state is not used. All other files are
copies, and so is everything in an environment that is made from a state.

An environment contains its own path, in scripts and compiled files. All keys are equally
long, so the path is replaced where it stands, without any change of length.
"""

import hashlib
import json
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

STATE = ".state"
COMPLETE = ".complete"
_SUFFIX = ".prefix"
_PARTIAL = ".part-"
# Of an environment, only jobs need these.
_JOBS_ONLY = frozenset((COMPLETE, STATE, "code"))
_FICLONE = 0x40049409
_CHUNK_BYTES = 1 << 20


class _Entry(NamedTuple):
    path: str
    status: os.stat_result

    @property
    def is_link(self) -> bool:
        return stat.S_ISLNK(self.status.st_mode)

    @property
    def is_folder(self) -> bool:
        return stat.S_ISDIR(self.status.st_mode)

    @property
    def is_file(self) -> bool:
        return stat.S_ISREG(self.status.st_mode)


def save(environment: str, key: str) -> None:
    """Save the state of an environment under the key of the step that made it.

    A state is complete as soon as it has its name. An environment is saved at most once
    at a time.

    Raises:
        OSError: the state cannot be written; nothing of it is left.
    """
    folder, name = os.path.split(environment)
    target = os.path.join(folder, key + _SUFFIX)
    if os.path.exists(target):
        return
    partial = os.path.join(folder, f"{_PARTIAL}{name}")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        digest = _link_files(environment, partial)
        with open(os.path.join(partial, STATE), "w", encoding="utf-8") as file:
            json.dump({"environment": name, "links": digest}, file)
        os.rename(partial, target)
    except OSError:
        shutil.rmtree(partial, ignore_errors=True)
        # Another build may have saved the same state meanwhile.
        if not os.path.exists(target):
            raise


def restore(environment: str, key: str) -> bool:
    """Copy the state after a step into an empty environment; return whether there is one.

    Raises:
        OSError: the copy cannot be written; the environment is incomplete.
    """
    folder, name = os.path.split(environment)
    state = os.path.join(folder, key + _SUFFIX)
    origin = _origin_of_state(state)
    if not origin:
        state, origin = os.path.join(folder, key), key
        if not os.path.exists(os.path.join(state, COMPLETE)):
            return False
    # Paths of another length cannot be replaced.
    if len(origin) != len(name):
        return False
    old, new = os.fsencode(f"/envs/{origin}"), os.fsencode(f"/envs/{name}")
    for entry in _entries(state):
        target = os.path.join(environment, os.path.relpath(entry.path, state))
        _copy(entry, target, old, new)
    return True


def _origin_of_state(state: str) -> str:
    """Return the environment that a usable state is a copy of; empty if there is none."""
    path = os.path.join(state, STATE)
    try:
        with open(path, encoding="utf-8") as file:
            record = json.load(file)
        # `prune` removes states by the time of their last use.
        os.utime(path)
        digest = _Links(state)
        for entry in _entries(state):
            digest.add(entry)
    except (OSError, ValueError):
        return ""
    return str(record["environment"]) if digest.text() == record["links"] else ""


def _link_files(environment: str, partial: str) -> str:
    """Copy an environment, with links to files of packages; return their digest."""
    digest = _Links(environment)
    os.mkdir(partial)
    for entry in _entries(environment):
        relative = os.path.relpath(entry.path, environment)
        target = os.path.join(partial, relative)
        if digest.add(entry):
            os.link(entry.path, target, follow_symlinks=False)
        else:
            _copy(entry, target, b"", b"")
    return digest.text()


class _Links:
    """Digest of the files that a state shares with its environment."""

    def __init__(self, top: str) -> None:
        self._top, self._hash = top, hashlib.sha256()

    def add(self, entry: _Entry) -> bool:
        """Add a file if it is one of those; return whether it is."""
        relative = os.path.relpath(entry.path, self._top)
        if not entry.is_file or not _is_installed(relative):
            return False
        status = entry.status
        record = (relative, status.st_mode, status.st_size, status.st_mtime_ns)
        self._hash.update(repr(record).encode("utf-8", "surrogateescape"))
        return True

    def text(self) -> str:
        return self._hash.hexdigest()


def _is_installed(path: str) -> bool:
    """Return whether a file is below a folder of a package in site-packages."""
    top, _, rest = path.partition("/site-packages/")
    return top.startswith("lib") and "/" in rest


def _entries(top: str) -> Iterator[_Entry]:
    """Yield everything below an environment that its build made, folders first."""
    pending = [(top, _JOBS_ONLY)]
    while pending:
        folder, excluded = pending.pop()
        for name in sorted(os.listdir(folder)):
            if name in excluded:
                continue
            path = os.path.join(folder, name)
            entry = _Entry(path, os.lstat(path))
            yield entry
            if entry.is_folder:
                pending.append((path, frozenset()))


def _copy(entry: _Entry, target: str, old: bytes, new: bytes) -> None:
    """Copy one entry, with its mode and times, and replace `old` in its content."""
    if entry.is_folder:
        with suppress(FileExistsError):
            os.mkdir(target)
        os.chmod(target, stat.S_IMODE(entry.status.st_mode) | stat.S_IRWXU)
    elif entry.is_link:
        link = os.fsencode(os.readlink(entry.path))
        os.symlink(link.replace(old, new) if old else link, os.fsencode(target))
    elif entry.is_file:
        _copy_file(entry.path, target, old, new)


def _copy_file(source: str, target: str, old: bytes, new: bytes) -> None:
    with open(source, "rb") as reader, open(target, "xb") as writer:
        if not _clone(writer.fileno(), reader.fileno()):
            shutil.copyfileobj(reader, writer, _CHUNK_BYTES)
    if old:
        _replace(target, old, new)
    shutil.copystat(source, target)


def _clone(target: int, source: int) -> bool:
    """Let a file share its blocks with another one, where the file system can do that."""
    try:
        # Other systems have no such call.
        import fcntl  # noqa: PLC0415

        fcntl.ioctl(target, _FICLONE, source)
    except (ImportError, OSError):
        return False
    return True


def _replace(path: str, old: bytes, new: bytes) -> None:
    """Replace a text in a file by one of the same length."""
    with open(path, "r+b") as file:
        position, tail = 0, b""
        while chunk := file.read(_CHUNK_BYTES):
            text = tail + chunk
            start = position - len(tail)
            index = text.find(old)
            while index >= 0:
                file.seek(start + index)
                file.write(new)
                index = text.find(old, index + len(old))
            position += len(chunk)
            file.seek(position)
            tail = text[-len(old) + 1 :]
