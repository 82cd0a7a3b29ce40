"""The Git repository that keeps a project's snapshots: RiseML's own, bare, and written without Git.

    <project>.git/
    ├── HEAD  config  objects/  refs/      what Git expects
    └── riseml/                            what it does not know: the lock, a file being written, what was last seen

Whoever writes holds the lock, so one name for an unfinished file is enough, and a killed writer leaves no more than
that. Every file comes into being by a rename, and nothing is named before all that it needs is there: objects, then the
branch.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from riseml.errors import HomeError
from riseml.project import Place

BRANCH = "refs/heads/riseml"

_FOLDERS = ("objects/info", "objects/pack", "refs/heads", "refs/tags", "info")
_FILES = {
    "config": "[core]\n\trepositoryformatversion = 0\n\tbare = true\n\tignorecase = false\n\tprotectHFS = false\n"
    "\tprotectNTFS = false\n\tbigFileThreshold = 16m\n[gc]\n\tauto = 0\n",
    "info/attributes": "* -text -eol -crlf -ident !filter !working-tree-encoding -export-ignore -export-subst\n",
    # The last one: with it the repository is complete
    "HEAD": f"ref: {BRANCH}\n",
}


class Store:
    """One repository, made on first use."""

    def __init__(self, repository: Place) -> None:
        self.path = os.path.abspath(repository)
        self.private = os.path.join(self.path, "riseml")
        self._emptied_tips: list[bytes] = []

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock, waiting for whoever holds it; it ends with its process. No other call makes sense without."""
        os.makedirs(self.private, exist_ok=True)
        descriptor = os.open(
            os.path.join(self.private, "lock"),
            os.O_RDWR | os.O_CREAT | os.O_CLOEXEC,
            0o600,
        )
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
        """Return a path for a file that gets its own name later; nothing is there."""
        path = os.path.join(self.private, f"unfinished-{kind}")
        with suppress(FileNotFoundError):
            os.unlink(path)
        return path

    def write(self, name: str, data: bytes, mode: int = 0o644) -> None:
        """Make or replace a file at once."""
        self.rename(self.make(data, mode), name)

    def make(self, data: bytes, mode: int, *, lasting: bool = False) -> str:
        """Return the path of a new unfinished file; a `lasting` one outlives a power cut."""
        path = self.unfinished("file")
        descriptor = os.open(
            path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode
        )
        try:
            left = memoryview(data)
            while left:
                left = left[os.write(descriptor, left) :]
            if lasting:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        return path

    def rename(self, unfinished: str, name: str) -> None:
        """Give a finished file its name below the repository."""
        path = os.path.join(self.path, name)
        try:
            os.rename(unfinished, path)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            os.rename(unfinished, path)

    def has_loose(self, name: bytes) -> bool:
        """Return whether an object has a file of its own; after a power cut it may have an empty one, which is none."""
        try:
            return os.stat(self.loose(name)).st_size > 0
        except FileNotFoundError:
            return False

    def is_whole(self, name: bytes) -> bool:
        """Return whether an object that was written is still there: a power cut empties files, though not packs."""
        try:
            return os.stat(self.loose(name)).st_size > 0
        except FileNotFoundError:
            return True

    def loose(self, name: bytes) -> str:
        """Return the path of an object's own file."""
        text = name.hex()
        return f"{self.path}/objects/{text[:2]}/{text[2:]}"

    def advance(self, commit: str) -> None:
        """Let the branch name a commit, and remove the former one if it is empty."""
        self.write(BRANCH, f"{commit}\n".encode())
        for name in self._emptied_tips:
            # Nothing else names it, so it is not written again; Git calls such a store
            # damaged. It may be the new commit, if both are of the same second.
            if not self.is_whole(name):
                os.unlink(self.loose(name))
        self._emptied_tips.clear()

    def tip(self) -> str:
        """Return the commit that the branch names; empty if it does not exist."""
        for file, suffix in ((BRANCH, ""), ("packed-refs", f" {BRANCH}")):
            with (
                suppress(OSError, ValueError),
                open(os.path.join(self.path, file), encoding="utf-8") as lines,
            ):
                commits = [
                    line[:40] for line in map(str.rstrip, lines) if line[40:] == suffix
                ]
                for commit in commits:
                    name = bytes.fromhex(commit)
                    if self.is_whole(name):
                        return commit
                    self._emptied_tips.append(name)
                return ""
        return ""


def unusable(repository: Place, error: OSError) -> HomeError:
    """Return the error about a store that cannot be written."""
    import errno  # noqa: PLC0415

    full = error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
    advice = (
        "Free some space there, or let RISEML_HOME name a folder on another disk."
        if full
        else "Make it a folder that you may write, or let RISEML_HOME name another one."
    )
    return HomeError(
        f"cannot keep the project's code in {os.fspath(repository)}: {error.strerror}",
        advice,
    )
