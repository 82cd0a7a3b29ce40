"""Git repository of a project's snapshots: RiseML's own, bare, and written without Git.

    <project>.git/
    ├── HEAD  config  objects/  refs/      what Git expects
    └── riseml/                            the lock, an unfinished file, the stat caches

A writer holds the lock, so one name for an unfinished file is enough, and a killed writer
leaves only that file. Every file appears by a rename, and only once everything it refers to
exists: first the objects, then the branch.
"""

import errno
import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from riseml import disk
from riseml.errors import HomeError
from riseml.project import AnyPath

BRANCH = "refs/heads/riseml"
_HEX_DIGITS = 40
_UNFINISHED = "unfinished-"

_FOLDERS = ("objects/info", "objects/pack", "refs/heads", "refs/tags", "info")
_FILES = {
    "config": "[core]\n\trepositoryformatversion = 0\n\tbare = true\n\tignorecase = false\n\tprotectHFS = false\n"
    "\tprotectNTFS = false\n\tbigFileThreshold = 16m\n[gc]\n\tauto = 0\n",
    "info/attributes": "* -text -eol -crlf -ident !filter !working-tree-encoding -export-ignore -export-subst\n",
    # It comes last, because its existence shows that the repository is complete.
    "HEAD": f"ref: {BRANCH}\n",
}


class Store:
    """One repository; the first lock creates it."""

    def __init__(self, repository: AnyPath) -> None:
        self.path = os.path.abspath(repository)
        self.private = os.path.join(self.path, "riseml")
        self._emptied_tips: list[bytes] = []

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock, which all other calls need; wait for another process that holds it.

        The system releases it when the process ends.
        """
        os.makedirs(self.private, exist_ok=True)
        path = os.path.join(self.private, "lock")
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if not os.path.exists(os.path.join(self.path, "HEAD")):
                self._create()
            yield
        finally:
            os.close(descriptor)

    def _create(self) -> None:
        for folder in _FOLDERS:
            os.makedirs(os.path.join(self.path, folder), exist_ok=True)
        for name, text in _FILES.items():
            self.write(name, text.encode())

    def unfinished(self, kind: str) -> str:
        """Return a path for a file that gets its own name later.

        No file exists there.
        """
        path = os.path.join(self.private, f"{_UNFINISHED}{kind}")
        with suppress(FileNotFoundError):
            os.unlink(path)
        return path

    def discard_unfinished(self) -> None:
        """Remove the unfinished files of writers that were killed."""
        for name in os.listdir(self.private):
            if name.startswith(_UNFINISHED):
                os.unlink(os.path.join(self.private, name))

    def write(self, name: str, data: bytes, mode: int = 0o644) -> None:
        """Create or replace a file; readers see the old content or the new one."""
        self.rename(self.make(data, mode), name)

    def make(self, data: bytes, mode: int, *, lasting: bool = False) -> str:
        """Write an unfinished file and return its path.

        A `lasting` one survives a power cut.
        """
        path = self.unfinished("file")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        descriptor = os.open(path, flags, mode)
        try:
            remaining = memoryview(data)
            while remaining:
                written = os.write(descriptor, remaining)
                remaining = remaining[written:]
            if lasting:
                os.fsync(descriptor)
        except OSError:
            # The disk may be full.
            os.unlink(path)
            raise
        finally:
            os.close(descriptor)
        return path

    def rename(self, unfinished: str, name: str) -> None:
        """Give a finished file its name below the repository."""
        path = os.path.join(self.path, name)
        try:
            os.rename(unfinished, path)
        except FileNotFoundError:
            # Most folders exist, so they are created only when one is missing.
            os.makedirs(os.path.dirname(path), exist_ok=True)
            os.rename(unfinished, path)

    def has_loose(self, name: bytes) -> bool:
        """Return whether an object has a file of its own.

        An empty file does not count: a power cut leaves one.
        """
        return self._loose_size(name, absent=0) > 0

    def is_complete(self, name: bytes) -> bool:
        """Return whether an object that was written still exists.

        A power cut may empty its file. An object without a file is in a pack, which survives.
        """
        return self._loose_size(name, absent=1) > 0

    def _loose_size(self, name: bytes, *, absent: int) -> int:
        try:
            return os.stat(self.loose(name)).st_size
        except FileNotFoundError:
            return absent

    def loose(self, name: bytes) -> str:
        """Return the path of an object's own file."""
        text = name.hex()
        return f"{self.path}/objects/{text[:2]}/{text[2:]}"

    def advance(self, commit: str) -> None:
        """Make the branch name a commit, and remove the former one if it is empty."""
        self.write(BRANCH, f"{commit}\n".encode())
        for name in self._emptied_tips:
            # Nothing else names it, so it is not written again; Git calls such a store
            # damaged. It may be the new commit, if both are of the same second.
            if not self.is_complete(name):
                os.unlink(self.loose(name))
        self._emptied_tips.clear()

    def touch(self) -> None:
        """Set the time of the branch: a run may be about to use what it reaches."""
        # There is none before the first commit, nor if Git has packed it.
        with suppress(FileNotFoundError):
            os.utime(os.path.join(self.path, BRANCH))

    def tip(self) -> str:
        """Return the commit that the branch names; empty if it does not exist."""
        # Git may move the name of a branch from its own file into packed-refs.
        for file, suffix in ((BRANCH, ""), ("packed-refs", f" {BRANCH}")):
            path = os.path.join(self.path, file)
            with suppress(OSError, ValueError), open(path, encoding="utf-8") as lines:
                return self._first_complete(lines, suffix)
        return ""

    def _first_complete(self, lines: Iterable[str], suffix: str) -> str:
        """Return the first commit of the lines with this suffix that still exists."""
        for line in map(str.rstrip, lines):
            if line[_HEX_DIGITS:] != suffix:
                continue
            commit = line[:_HEX_DIGITS]
            name = bytes.fromhex(commit)
            if self.is_complete(name):
                return commit
            self._emptied_tips.append(name)
        return ""


def unusable(repository: AnyPath, error: OSError) -> HomeError:
    """Return the error about a store that cannot be written."""
    path = os.fspath(repository)
    failure = f"cannot keep the project's code in {path}"
    if disk.means_full(error):
        return disk.full(Path(path), failure)
    advice = "Make it a folder that you may write, or let RISEML_HOME name another one."
    if error.errno == errno.EFBIG:
        # The user's limit, or that of the file system.
        advice = "Allow larger files there (`ulimit -f`, free space), or let RISEML_HOME name another folder."
    return HomeError(f"{failure}: {error.strerror}", advice)
