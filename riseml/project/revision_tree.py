"""Files, folders and links of a revision, as they were in the project's folder.

    git ls-tree ──┐
    commit message┴─read──▶ RevisionTree ──content──▶ bytes, from `git cat-file` or beside Git

The message says what a tree of Git cannot hold; `compose.py` writes it.
"""

import os
import re
import stat
import subprocess
from collections import defaultdict, deque
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import IO, NamedTuple, cast

from riseml.errors import ProjectError
from riseml.project import large_files
from riseml.project.large_files import LargeFiles
from riseml.project.revision_files import run_git
from riseml.project.store import Store

_Pipes = tuple[IO[bytes], IO[bytes]]
_STEP_BYTES = 1 << 20
_LINE = re.compile(r"^(umask|move|dir|mode) (\S+)(?: (\S+))?$", re.MULTILINE)
_USUAL_MASK = "0022"


class TreeEntry(NamedTuple):
    """A file, folder or link of a revision: path, mode and size in bytes.

    `blob` is the id of its content in Git. A file beside Git has its name there instead,
    in `file_name`.
    """

    path: str
    mode: int
    size: int
    blob: str = ""
    file_name: str = ""


class RevisionTree:
    """The entries of one revision by their paths; the path of the project's folder is empty."""

    def __init__(self, repository: Path, entries: Iterable[TreeEntry]) -> None:
        self._repository = repository
        self.entries = {"": TreeEntry("", stat.S_IFDIR | 0o755, 0)}
        self._names: dict[str, list[str]] = {"": []}
        for entry in entries:
            self._add(entry)

    def inside(self, folder: str) -> list[TreeEntry]:
        """Return the entries directly in a folder."""
        return list(map(self.entries.__getitem__, self._names.get(folder, ())))

    def below(self, folder: str) -> list[TreeEntry]:
        """Return all entries below a folder, without itself."""
        if not folder:
            return list(self.entries.values())[1:]
        prefix = f"{folder}/"
        return [
            entry for path, entry in self.entries.items() if path.startswith(prefix)
        ]

    def target(self, link: TreeEntry) -> str:
        """Return what a link points to."""
        contents = self.content([link])
        # Git runs until the generator is closed.
        with closing(contents):
            return os.fsdecode(b"".join(next(contents)))

    def content(self, entries: Iterable[TreeEntry]) -> Generator[Iterator[bytes]]:
        """Yield the content of each file or link in pieces, which must be read in this order.

        Raises:
            ProjectError: Git cannot read it.
        """
        command = ["git", f"--git-dir={self._repository}", "cat-file", "--batch"]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as process:
            for entry in entries:
                if entry.file_name:
                    yield self._beside_git(entry)
                    continue
                pieces = _from_git(process, entry)
                yield pieces
                # The next content follows the last byte of this one.
                deque(pieces, maxlen=0)

    def _add(self, entry: TreeEntry) -> None:
        path = entry.path
        if path in self.entries:
            self.entries[path] = entry
            return
        self.entries[path] = entry
        self._names[path] = []
        folder = path.rpartition("/")[0]
        if folder not in self.entries:
            # Git knows no folder that has only files beside Git.
            self._add(TreeEntry(folder, stat.S_IFDIR | 0o755, 0))
        self._names[folder].append(path)

    def _beside_git(self, entry: TreeEntry) -> Iterator[bytes]:
        path = LargeFiles(Store(self._repository)).path(entry.file_name)
        try:
            with open(path, "rb") as file:
                while data := file.read(_STEP_BYTES):
                    yield data
        except OSError as error:
            raise ProjectError(f"{path}: {error.strerror}") from None


def read(repository: Path, revision: str) -> RevisionTree:
    """Return the entries of a revision.

    Raises:
        ProjectError: the repository does not have it.
    """
    message = run_git(repository, "cat-file", "commit", revision)
    lines: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for kind, word, escaped in _LINE.findall(message):
        lines[kind].append((word, large_files.unescaped(escaped)))
    mask, _ = next(iter(lines["umask"]), (_USUAL_MASK, ""))
    entries = list(_in_git(repository, revision, int(mask, 8)))
    for stored_name, path in lines["move"]:
        entries = [_moved(entry, stored_name, path) for entry in entries]
    for permissions, path in lines["dir"]:
        entries.append(TreeEntry(path, stat.S_IFDIR | int(permissions, 8), 0))
    entries += _large_files(repository, message)
    tree = RevisionTree(repository, entries)
    for permissions, path in lines["mode"]:
        entry = tree.entries[path]
        mode = stat.S_IFMT(entry.mode) | int(permissions, 8)
        tree.entries[path] = entry._replace(mode=mode)
    return tree


def _in_git(repository: Path, revision: str, mask: int) -> Iterator[TreeEntry]:
    listed = run_git(repository, "ls-tree", "-r", "-t", "-l", "-z", revision)
    # Each record is `<mode> <type> <id> <size>`, a tab and the path.
    for record in filter(None, listed.split("\0")):
        fields, _, path = record.partition("\t")
        git_mode, kind, blob, size = fields.split()
        if kind == "tree":
            yield TreeEntry(path, stat.S_IFDIR | 0o777 & ~mask, 0)
            continue
        mode = int(git_mode, 8)
        created = 0o777 if mode & stat.S_IXUSR else 0o666
        permissions = created & ~mask
        yield TreeEntry(path, stat.S_IFMT(mode) | permissions, int(size), blob)


def _large_files(repository: Path, message: str) -> Iterator[TreeEntry]:
    files = LargeFiles(Store(repository))
    for path, name in large_files.in_message(message).items():
        _, _, permissions = name.partition("-")
        try:
            size = os.stat(files.path(name)).st_size
        except FileNotFoundError:
            raise ProjectError(
                f"the home no longer has the content of {path}",
                "`riseml prune` or another program removed it.",
            ) from None
        yield TreeEntry(path, stat.S_IFREG | int(permissions, 8), size, file_name=name)


def _moved(entry: TreeEntry, stored_name: str, path: str) -> TreeEntry:
    """Return an entry with the name that Git refuses, if it or a folder above has it."""
    folder, slash, _ = path.rpartition("/")
    stored_path = f"{folder}{slash}{stored_name}"
    if entry.path == stored_path or entry.path.startswith(f"{stored_path}/"):
        return entry._replace(path=path + entry.path[len(stored_path) :])
    return entry


def _from_git(process: "subprocess.Popen[bytes]", entry: TreeEntry) -> Iterator[bytes]:
    """Yield the content of a blob; Git prints `<id> blob <size>`, the bytes and a line break."""
    source, answers = cast("_Pipes", (process.stdin, process.stdout))
    source.write(f"{entry.blob}\n".encode())
    source.flush()
    header = answers.readline().split()
    remaining = int(header[-1]) if header[1:2] == [b"blob"] else -1
    while remaining > 0:
        data = answers.read(min(remaining, _STEP_BYTES))
        remaining -= len(data) or remaining + 1
        yield data
    if remaining:
        raise ProjectError(f"Git cannot read the content of {entry.path}")
    answers.readline()
