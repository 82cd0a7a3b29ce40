"""State of the user's own Git repository: commit, branch, and whether tracked files differ from it.

    .git ──▶ HEAD, refs ──▶ commit, branch
             index ──lstat, rarely content──▶ differs from the files?
             index, commit ──▶ differs from the commit?   (Git answers where objects are packed)

Everything is only read. Git's own commands run filters, hooks and monitors, and may write
the index, so files are compared here. Whatever cannot be determined in a short time is not
known, and no state of a repository is an error.
"""

import os
import re
import stat
import time
import zlib
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

from riseml.plan import GitState
from riseml.project import AnyPath
from riseml.project.git_index import Index, IndexEntry, UnreadableIndexError

# A user waits for it whenever a run is started.
_LIMIT_SECONDS = 0.15
_PROCESS_SECONDS = 1.0
# How often the time is looked at, in files.
_STEP = 500
_MAX_INDEX_BYTES = 128 << 20
_MAX_CONTENT_BYTES = 8 << 20
_MAX_LINKS = 5
# The bits of a mode that Git keeps of a file.
_KIND_AND_USE = 0o170100
_ID = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_IGNORES_MODE = re.compile(
    r"^\s*filemode\s*=\s*false\s*$", re.IGNORECASE | re.MULTILINE
)
# Git runs nothing with these, and writes nothing.
_GIT = ("git", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null")
_READ_ONLY = {"GIT_OPTIONAL_LOCKS": "0", "GIT_NO_LAZY_FETCH": "1", "LC_ALL": "C"}
_OPEN = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC


class _Repository(NamedTuple):
    """A working tree: its folder, the folder of its HEAD and index, and that of its refs."""

    top: str
    private: str
    shared: str


class _UnknownError(Exception):
    """It cannot be determined whether files have changed."""


def read(folder: AnyPath) -> GitState | None:
    """Return the state of the repository that tracks files of `folder`; None if none does."""
    try:
        return _read(os.path.realpath(folder))
    except (OSError, ValueError):
        return None


class CommittedFolder(NamedTuple):
    """A folder in a commit: where Git's objects are, and the folder's tree as Git names it."""

    objects: str
    tree: str


def committed(folder: AnyPath, commit: str) -> CommittedFolder | None:
    """Return `folder` as it is in a commit of its repository; None if it is in none.

    Whether the repository has the commit is not checked.
    """
    path = os.path.realpath(os.fsdecode(folder))
    try:
        repository = _find(path)
        if repository is None or not _is_trusted(repository):
            return None
    except (OSError, ValueError):
        return None
    prefix = os.path.relpath(path, repository.top)
    inner = "" if prefix == "." else prefix
    return CommittedFolder(
        os.path.join(repository.shared, "objects"), f"{commit}:{inner}"
    )


def _read(folder: str) -> GitState | None:
    repository = _find(folder)
    if repository is None or not _is_trusted(repository):
        return None
    branch, commit = _head(repository)
    if not commit:
        commit = _ask_git(repository, "rev-parse", "--verify", "-q", "HEAD")
    if not _ID.fullmatch(commit):
        return None
    prefix = os.fsencode(os.path.relpath(folder, repository.top)) + b"/"
    prefix = prefix.removeprefix(b"./")
    try:
        is_dirty = _Comparison(repository, commit, prefix).is_dirty()
    except LookupError:
        return None
    except (_UnknownError, UnreadableIndexError, OSError):
        is_dirty = None
    return GitState(commit, branch, is_dirty)


def _find(folder: str) -> _Repository | None:
    """Return the innermost working tree that contains a folder."""
    device = os.stat(folder).st_dev
    while os.stat(folder).st_dev == device:
        private = os.path.join(folder, ".git")
        if os.path.isfile(private):
            link = _text(private).removeprefix("gitdir:").strip()
            private = os.path.join(folder, link)
        if os.path.exists(os.path.join(private, "HEAD")):
            link = _text(os.path.join(private, "commondir")).strip()
            return _Repository(folder, private, os.path.join(private, link))
        parent = os.path.dirname(folder)
        if parent == folder:
            break
        folder = parent
    return None


def _is_trusted(repository: _Repository) -> bool:
    """Return whether Git would use a repository: it is the user's, or `safe.directory` names it."""
    owners = {os.stat(path).st_uid for path in repository}
    if owners == {os.geteuid()}:
        return True
    return bool(_ask_git(repository, "rev-parse", "--git-dir"))


def _head(repository: _Repository) -> tuple[str, str]:
    """Return branch and commit of HEAD; without a branch, and without a commit, they are empty."""
    text = _text(os.path.join(repository.private, "HEAD")).strip()
    branch = ""
    for _ in range(_MAX_LINKS):
        name = text.removeprefix("ref:").strip()
        if name == text:
            break
        branch = branch or name.removeprefix("refs/heads/")
        text = _text(os.path.join(repository.shared, name)).strip()
        text = text or _packed(repository, name)
    return branch, text


def _packed(repository: _Repository, name: str) -> str:
    packed = _text(os.path.join(repository.shared, "packed-refs"))
    match = re.search(rf"^([0-9a-f]+) {re.escape(name)}$", packed, re.MULTILINE)
    return match[1] if match else ""


class _Comparison:
    """Comparison of the files below `prefix` with a commit."""

    def __init__(self, repository: _Repository, commit: str, prefix: bytes) -> None:
        self._repository, self._commit, self._prefix = repository, commit, prefix
        self._deadline = time.monotonic() + _LIMIT_SECONDS
        self._id_bytes = len(commit) // 2
        self._top = os.fsencode(os.path.join(repository.top, ""))
        path = os.path.join(repository.private, "index")
        self._index = Index(_bytes(path, _MAX_INDEX_BYTES), len(commit) // 2)
        self._index_ns = os.stat(path).st_mtime_ns

    def is_dirty(self) -> bool:
        """Return whether a tracked file differs from the commit.

        Raises:
            LookupError: no file is tracked.
            _UnknownError, UnreadableIndexError, OSError: it cannot be determined.
        """
        has_tracked = False
        for entry in self._tracked():
            has_tracked = True
            if self._has_changed(entry):
                return True
        # It raises if the index does not have all entries.
        index_tree = self._index.tree_id().hex()
        if not has_tracked:
            raise LookupError
        return self._is_staged(index_tree)

    def _tracked(self) -> Iterator[IndexEntry]:
        """Yield the entries below `prefix`, as long as there is time."""
        for count, entry in enumerate(self._index):
            if count % _STEP == 0 and time.monotonic() > self._deadline:
                raise _UnknownError
            if entry.path.startswith(self._prefix):
                yield entry

    def _has_changed(self, entry: IndexEntry) -> bool:
        """Return whether the file of an entry differs from it."""
        path = self._top + entry.path
        try:
            status = os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            return not (entry.is_assumed or entry.is_repository)
        if self._is_untouched(entry, status) or entry.is_assumed:
            return False
        if entry.is_repository:
            return self._has_moved(os.fsdecode(path), entry)
        if self._has_other_status(entry, status):
            return True
        return self._has_other_content(path, entry, status)

    def _is_untouched(self, entry: IndexEntry, status: os.stat_result) -> bool:
        """Return whether size and times show that a file is the same."""
        recorded = entry.modified_ns, entry.size, entry.mode & _KIND_AND_USE
        current = status.st_mtime_ns, status.st_size, status.st_mode & _KIND_AND_USE
        # A change in the same moment as that of the index would not show.
        is_older = entry.modified_ns < self._index_ns
        return recorded == current and is_older and not entry.is_unsettled

    def _has_other_status(self, entry: IndexEntry, status: os.stat_result) -> bool:
        # Git writes 0 as the size if it is not sure.
        if entry.is_unsettled or entry.size not in (status.st_size, 0):
            return True
        return not self._has_mode(entry, status)

    def _has_mode(self, entry: IndexEntry, status: os.stat_result) -> bool:
        mode = status.st_mode
        if stat.S_IFMT(mode) != stat.S_IFMT(entry.mode):
            return False
        if stat.S_ISLNK(mode) or not (mode ^ entry.mode) & stat.S_IXUSR:
            return True
        config = _text(os.path.join(self._repository.shared, "config"))
        return _IGNORES_MODE.search(config) is not None

    def _has_other_content(
        self, path: bytes, entry: IndexEntry, status: os.stat_result
    ) -> bool:
        if status.st_size > _MAX_CONTENT_BYTES:
            raise _UnknownError
        if stat.S_ISLNK(status.st_mode):
            content = os.readlink(path)
        else:
            content = _bytes(os.fsdecode(path), _MAX_CONTENT_BYTES)
        if self._identify(content) == entry.id:
            return False
        # Git would convert the file before it compares it.
        if self._uses_filters():
            raise _UnknownError
        return True

    def _identify(self, content: bytes) -> bytes:
        # Few runs need it.
        import hashlib  # noqa: PLC0415

        algorithm = {20: hashlib.sha1, 32: hashlib.sha256}[self._id_bytes]
        digest = algorithm(b"blob %d\0" % len(content), usedforsecurity=False)
        digest.update(content)
        return digest.digest()

    def _uses_filters(self) -> bool:
        files = [os.path.join(self._repository.shared, "info/attributes")]
        files.append(os.path.join(self._repository.top, ".gitattributes"))
        return "filter" in "".join(map(_text, files))

    def _has_moved(self, path: str, entry: IndexEntry) -> bool:
        """Return whether a submodule has another commit; one that is not there has not."""
        if not os.path.lexists(os.path.join(path, ".git")):
            return False
        submodule = _find(path)
        commit = "" if submodule is None else _head(submodule)[1]
        if not commit:
            raise _UnknownError
        return commit != entry.id.hex()

    def _is_staged(self, index_tree: str) -> bool:
        """Return whether the index differs from the commit."""
        if index_tree and index_tree == _tree_of(self._repository, self._commit):
            return False
        # Packed objects are hard to read, and an index need not know its tree.
        arguments = ("diff-index", "--cached", "--quiet", "HEAD", "--")
        status = _run_git(
            self._repository, *arguments, ":/" + os.fsdecode(self._prefix)
        )[0]
        if status not in (0, 1):
            raise _UnknownError
        return status == 1


def _tree_of(repository: _Repository, commit: str) -> str:
    """Return the id of a commit's tree; empty if the commit has no file of its own."""
    path = os.path.join(repository.shared, "objects", commit[:2], commit[2:])
    with suppress(OSError, zlib.error, ValueError):
        text = zlib.decompress(_bytes(path, _MAX_CONTENT_BYTES)).decode("latin-1")
        return text.partition("\0tree ")[2].partition("\n")[0]
    return ""


def _ask_git(repository: _Repository, *arguments: str) -> str:
    """Return what a command of Git prints, nothing if it fails."""
    status, text = _run_git(repository, *arguments)
    return "" if status else text.strip()


def _run_git(repository: _Repository, *arguments: str) -> tuple[int, str]:
    """Return status and output of a command of Git that only reads objects and the index."""
    # Most runs need no process.
    import subprocess  # noqa: PLC0415

    environment = dict(_READ_ONLY)
    for name, value in os.environ.items():
        # Variables of a hook are about another command.
        if not name.startswith("GIT_"):
            environment.setdefault(name, value)
    command = [*_GIT, "-C", repository.top, *arguments]
    try:
        completed = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PROCESS_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return -1, ""
    return completed.returncode, os.fsdecode(completed.stdout)


def _text(path: str) -> str:
    """Return the text of a file, empty if it cannot be read."""
    try:
        return os.fsdecode(_bytes(path, _MAX_CONTENT_BYTES))
    except OSError:
        return ""


def _bytes(path: str, limit: int) -> bytes:
    # A pipe in the place of a file must not block.
    descriptor = os.open(path, _OPEN)
    with open(descriptor, "rb") as file:
        data = file.read(limit)
        is_complete = not file.read(1)
    if not is_complete:
        raise OSError(f"{path} is too large")
    return data
