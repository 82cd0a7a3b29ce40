"""Files that a job created or changed in its working copy: they stay in its output folder.

    overlay:      upper layer of /code = <output>/workdir      cleaned in place
    own checkout: files changed since the job's start ──move──▶ <output>/workdir

It uses only the standard library, because it also runs as a small process (bare.py).
"""

import errno
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from typing import NamedTuple

from riseml.engines.local.jobs.tree import Entry, Tree, remove

IGNORED = frozenset((b"__pycache__", b".git"))
"""Names of folders and files that are not kept."""

# Work of this size is done faster than a process starts.
_SMALL_ENTRIES = 256
_NAMED_FILES = 3
_OVERLAY_ATTRIBUTES = ("user.overlay.", "trusted.overlay.")
_UNITS = (("TB", 10**12), ("GB", 10**9), ("MB", 10**6), ("kB", 10**3))


class Workdir(NamedTuple):
    """Working copy of one job.

    `changes` is the upper layer of its overlay, above `lower`, or its own checkout,
    where a file that is younger than the file `stamp` has changed. `kept` is the folder
    for what changed, `title` its name for users, `note` the file for a text about it.
    `limit` is in bytes. `work` is the work directory of the overlay.
    """

    changes: str
    kept: str
    title: str
    note: str
    limit: int
    lower: tuple[str, ...] = ()
    stamp: str = ""
    work: str = ""


class _File(NamedTuple):
    path: bytes
    size: int


def main() -> None:
    """Keep the files of one working copy, whose fields are the arguments."""
    changes, kept, title, note, limit, stamp, work, *lower = sys.argv[1:]
    keep(Workdir(changes, kept, title, note, int(limit), tuple(lower), stamp, work))


def arguments(workdir: Workdir) -> list[str]:
    """Return the arguments with which `main` keeps the files of a working copy."""
    fields = (workdir.changes, workdir.kept, workdir.title, workdir.note)
    return [*fields, str(workdir.limit), workdir.stamp, workdir.work, *workdir.lower]


def is_small(workdir: Workdir) -> bool:
    """Return whether the files can be kept without making others wait."""
    tree = Tree(os.fsencode(workdir.changes))
    entries = list(islice(tree.walk(), _SMALL_ENTRIES + 1))
    tree.restore_modes()
    if len(entries) > _SMALL_ENTRIES:
        return False
    size = sum(entry.status.st_size for entry in entries)
    is_rename = bool(workdir.lower) or _same_device(workdir.changes, workdir.kept)
    return is_rename and size <= workdir.limit


def keep(workdir: Workdir) -> None:
    """Keep what a job created or changed, and write the note about it.

    Nothing is raised: the note names what could not be kept.
    """
    task = _OverlayTask(workdir) if workdir.lower else _CheckoutTask(workdir)
    task.run()


class _Task:
    """Selection of the files to keep; subclasses know how they are found and kept."""

    def __init__(self, workdir: Workdir) -> None:
        self.workdir = workdir
        self.changes = os.fsencode(workdir.changes)
        self.kept = os.fsencode(workdir.kept)
        self.tree = Tree(self.changes)
        self.errors = self.tree.errors
        self.count = self.size = 0

    def run(self) -> None:
        """Keep the files from the smallest up until the limit is reached."""
        files = sorted(self.files(), key=lambda file: file.size)
        left_out = []
        for file in files:
            if self.size + file.size > self.workdir.limit:
                left_out.append(file)
            elif self.keep_file(file.path):
                self.count += 1
                self.size += file.size
        self.finish(left_out)
        self.tree.restore_modes()
        self._remove_empty_folder()
        text = self._text(left_out)
        if text:
            self._write(text)

    def files(self) -> Iterator[_File]:
        """Yield the files and links that the job created or changed."""
        raise NotImplementedError

    def keep_file(self, path: bytes) -> bool:
        """Keep one file; return whether it is kept."""
        raise NotImplementedError

    def finish(self, left_out: list[_File]) -> None:
        """Remove what is not kept."""
        raise NotImplementedError

    def fail(self, path: bytes, error: OSError) -> None:
        """Record that a file could not be kept."""
        # Another process may have finished the same work.
        if error.errno != errno.ENOENT:
            self.errors[path] = error.strerror or repr(error)

    def _remove_empty_folder(self) -> None:
        folder = self.kept
        # The folders of a gang's jobs have a folder in common.
        for _ in range(1 + self.workdir.title.count("/", 0, -1)):
            try:
                self._remove_folder(folder)
            except OSError:
                return
            folder = os.path.dirname(folder)

    def _remove_folder(self, folder: bytes) -> None:
        """Remove a folder if it is empty; otherwise raise an error.

        The upper layer of an overlay moves to the folder of the job, which is removed
        with others. On ext4 that takes 0.1 ms instead of 1 ms, for which all jobs wait.
        """
        is_upper_layer = bool(self.workdir.work) and folder == self.kept
        place = os.path.dirname(os.fsencode(self.workdir.work))
        # A job may have closed the folder, which then can only be removed.
        with suppress(OSError):
            if is_upper_layer and not os.listdir(folder):
                os.rename(folder, os.path.join(place, b"empty"))
                return
        os.rmdir(folder)

    def _text(self, left_out: list[_File]) -> str:
        parts = []
        if self.count:
            noun = "file" if self.count == 1 else "files"
            size = _size(self.size)
            parts.append(f"{self.count} {noun}, {size}, in {self.workdir.title}")
        if left_out:
            limit = f"workdir_limit of {_size(self.workdir.limit)}"
            largest = left_out[: -_NAMED_FILES - 1 : -1]
            names = [f"{_name(path)} ({_size(size)})" for path, size in largest]
            named = _listed(names, len(left_out))
            parts.append(f"not kept, over the {limit}: {named}")
        if self.errors:
            first = list(self.errors.items())[:_NAMED_FILES]
            names = [f"{_name(path)} ({reason})" for path, reason in first]
            parts.append(f"could not be kept: {_listed(names, len(self.errors))}")
        return "; ".join(parts)

    def _write(self, text: str) -> None:
        # The files themselves matter more than the note about them.
        with suppress(OSError), open(self.workdir.note, "w", encoding="utf-8") as file:
            file.write(text)


class _OverlayTask(_Task):
    """The upper layer of an overlay becomes the folder of kept files."""

    def __init__(self, workdir: Workdir) -> None:
        super().__init__(workdir)
        self._lower = list(map(os.fsencode, workdir.lower))
        self._rejected: list[bytes] = []
        self._folders: list[bytes] = []
        self._inodes: set[int] = set()

    def files(self) -> Iterator[_File]:
        for entry in self.tree.walk(IGNORED):
            if entry.is_folder:
                self._folders.append(entry.path)
                continue
            if not entry.is_file or self._is_unchanged(entry):
                self._rejected.append(entry.path)
            else:
                yield _File(entry.path, _disk_size(entry.status, self._inodes))
        self._rejected += self.tree.skipped

    def keep_file(self, path: bytes) -> bool:
        _strip(os.path.join(self.changes, path))
        return True

    def finish(self, left_out: list[_File]) -> None:
        self._rejected += [file.path for file in left_out]
        for path in self._rejected:
            try:
                remove(os.path.join(self.changes, path))
            except OSError as error:
                self.fail(path, error)
        # The folders inside a folder come after it.
        for path in reversed(self._folders):
            folder = os.path.join(self.changes, path)
            try:
                os.rmdir(folder)
            except OSError:
                _strip(folder)
        _strip(self.changes)

    def _is_unchanged(self, entry: Entry) -> bool:
        """Return whether a file equals that of the project or its install steps."""
        for layer in self._lower:
            path = os.path.join(layer, entry.path)
            try:
                status = os.lstat(path)
            except OSError:
                continue
            return _equal(os.path.join(self.changes, entry.path), path, status)
        return False


class _CheckoutTask(_Task):
    """Changed files are moved from the job's own checkout."""

    def files(self) -> Iterator[_File]:
        try:
            start = os.stat(self.workdir.stamp).st_ctime_ns
        except OSError:
            # The job's command was never started.
            return
        inodes: set[int] = set()
        for entry in self.tree.walk(IGNORED):
            if entry.is_file and entry.status.st_ctime_ns > start:
                yield _File(entry.path, _disk_size(entry.status, inodes))

    def keep_file(self, path: bytes) -> bool:
        target = os.path.join(self.kept, path)
        try:
            os.makedirs(os.path.dirname(target), exist_ok=True)
            _move(os.path.join(self.changes, path), target)
        except OSError as error:
            self.fail(path, error)
            return False
        return True

    def finish(self, left_out: list[_File]) -> None:
        """Leave the rest: it is removed with the folder of the job."""


def _equal(changed: bytes, original: bytes, status: os.stat_result) -> bool:
    """Return whether two files are the same in all that a user sees."""
    status_now = os.lstat(changed)
    if (status_now.st_mode, status_now.st_size) != (status.st_mode, status.st_size):
        return False
    if stat.S_ISLNK(status_now.st_mode):
        return os.readlink(changed) == os.readlink(original)
    # The time alone is no proof: a program may set it.
    return status_now.st_mtime_ns == status.st_mtime_ns and _same_content(
        changed, original
    )


def _same_content(first: bytes, second: bytes) -> bool:
    # Few jobs open a file of the project for writing and leave it as it was.
    import filecmp  # noqa: PLC0415

    try:
        return filecmp.cmp(first, second, shallow=False)
    except OSError:
        return False


def _strip(path: bytes) -> None:
    """Remove the attributes that an overlay has added to a file."""
    # They do no harm to a reader of the file.
    with suppress(OSError):
        for name in os.listxattr(path, follow_symlinks=False):
            if name.startswith(_OVERLAY_ATTRIBUTES):
                _remove_attribute(path, name)


def _remove_attribute(path: bytes, name: str) -> None:
    try:
        os.removexattr(path, name, follow_symlinks=False)
    except PermissionError:
        mode = stat.S_IMODE(os.lstat(path).st_mode)
        os.chmod(path, mode | stat.S_IWUSR)
        os.removexattr(path, name, follow_symlinks=False)
        os.chmod(path, mode)


def _move(source: bytes, target: bytes) -> None:
    try:
        os.rename(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        # Output folders are rarely on another file system than the home.
        import shutil  # noqa: PLC0415

        try:
            shutil.copy2(source, target, follow_symlinks=False)
        except OSError:
            remove(target)
            raise
        os.unlink(source)


def _disk_size(status: os.stat_result, inodes: set[int]) -> int:
    """Return the bytes that a file needs; a second name of it needs none."""
    if status.st_nlink > 1:
        if status.st_ino in inodes:
            return 0
        inodes.add(status.st_ino)
    # A sparse file is longer than what it occupies.
    return min(status.st_size, status.st_blocks * 512)


def _same_device(first: str, second: str) -> bool:
    try:
        parent = os.path.dirname(second)
        return os.stat(first).st_dev == os.stat(parent).st_dev
    except OSError:
        return False


def _listed(names: list[str], count: int) -> str:
    text = ", ".join(names)
    more = count - len(names)
    return f"{text} and {more} more" if more else text


def _name(path: bytes) -> str:
    """Return a path in printable characters, at most 100 of them."""
    text = path.decode("utf-8", "backslashreplace")
    if not text.isprintable():
        text = text.encode("unicode_escape").decode()
    return text if len(text) <= 100 else f"…{text[-99:]}"  # noqa: PLR2004


def _size(count: int) -> str:
    for unit, factor in _UNITS:
        if count >= factor:
            return f"{count / factor:.3g} {unit}"
    return "1 byte" if count == 1 else f"{count} bytes"
