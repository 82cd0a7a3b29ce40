"""Difference of two revisions: the files that changed, and the patch, as Git writes it.

Revisions of different repositories can be compared. Nothing is checked out.
"""

import filecmp
import os
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from riseml.dataclass import dataclass
from riseml.errors import ProjectError
from riseml.project import large_files
from riseml.project.large_files import LargeFiles
from riseml.project.revision_files import run_git
from riseml.project.store import Store
from riseml.project.user_git import CommittedFolder

_ISOLATED = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_ATTR_NOSYSTEM": "1",
    "LC_ALL": "C",
}
_OPTIONS = ("-r", "-M", "--no-ext-diff", "--no-textconv", "--no-color")
_EMPTY_FIELDS = 3
_NEVER_STORED = (":(exclude,glob)**/riseml*.yml", ":(exclude,glob)**/.risemlignore")


class StoredRevision(NamedTuple):
    """A revision and the repository that has it."""

    repository: Path
    revision: str


@dataclass(frozen=True)
class FileChange:
    """A file that differs; `added` and `deleted` count lines, None for a binary file.

    `old_path` is the former path of a file that was renamed, empty for others.
    """

    path: str
    added: int | None
    deleted: int | None
    old_path: str = ""


@dataclass(frozen=True)
class CodeDifference:
    """The files that differ between two revisions, and the patch from the first to the second."""

    old: str
    new: str
    files: tuple[FileChange, ...] = ()
    patch: str = ""


def compare(old: StoredRevision, new: StoredRevision) -> CodeDifference:
    """Return the difference between two revisions.

    Raises:
        ProjectError: a repository does not have its revision.
    """
    if old.revision == new.revision:
        return CodeDifference(old.revision, new.revision)
    files = list(_changes(_diff(old, new, "--numstat", "-z")))
    patch = _diff(old, new, "-p")
    for path in _large_changes(old, new):
        files.append(FileChange(path, None, None))
        patch += f"Binary files a/{path} and b/{path} differ\n"
    files.sort(key=lambda change: change.path)
    return CodeDifference(old.revision, new.revision, tuple(files), patch)


def patch_since(committed: CommittedFolder, new: StoredRevision) -> str:
    """Return the patch from a folder of the user's own commit to a revision.

    Files that no revision has are left out, such as riseml.yml. Files of 1 MB and more may be
    kept beside Git; they are left out, too.

    Raises:
        ProjectError: the user's repository does not have the commit, or the other one the revision.
    """
    paths = ("--", ".", *_NEVER_STORED)
    arguments = ["-p", committed.tree, new.revision, *paths]
    return _diff_tree(new.repository, committed.objects, arguments)


def _diff(old: StoredRevision, new: StoredRevision, *options: str) -> str:
    objects = str(new.repository / "objects")
    arguments = [*options, old.revision, new.revision]
    return _diff_tree(old.repository, objects, arguments)


def _diff_tree(repository: Path, objects: str, arguments: Sequence[str]) -> str:
    """Return what Git prints about two trees, which are in a repository or in further objects."""
    command = ["git", f"--git-dir={repository}", "-c", "core.quotePath=false"]
    command += ["diff-tree", *_OPTIONS, *arguments]
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        **_ISOLATED,
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": objects,
    }
    completed = subprocess.run(
        command, env=environment, capture_output=True, check=False
    )
    if completed.returncode:
        detail = completed.stderr.decode(errors="replace").strip()
        raise ProjectError(f"the code cannot be compared: {detail}")
    return completed.stdout.decode("utf-8", "replace")


def _changes(numbers: str) -> Iterator[FileChange]:
    """Yield the files of `--numstat -z`: `<added> <deleted> <path>`, separated by tabs.

    A renamed file has an empty path there, and its old and new path follow.
    """
    fields = iter(numbers.split("\0"))
    for field in filter(None, fields):
        added, deleted, path = field.split("\t", _EMPTY_FIELDS - 1)
        old_path = ""
        if not path:
            old_path, path = next(fields), next(fields)
        yield FileChange(path, _count(added), _count(deleted), old_path)


def _count(digits: str) -> int | None:
    # Git writes a dash for binary files.
    return int(digits) if digits.isdecimal() else None


def _large_changes(old: StoredRevision, new: StoredRevision) -> list[str]:
    """Return the paths of files beside Git that differ."""
    old_files, new_files = _large_files(old), _large_files(new)
    changes = []
    for path in sorted(old_files.keys() | new_files.keys()):
        old_file, new_file = old_files.get(path), new_files.get(path)
        if old_file is None or new_file is None or not _is_equal(old_file, new_file):
            changes.append(path)
    return changes


def _is_equal(old: str, new: str) -> bool:
    """Return whether two files beside Git have the same content and permissions."""
    if len(os.path.basename(old)) == len(os.path.basename(new)):
        return os.path.basename(old) == os.path.basename(new)
    # An earlier version of RiseML gave very large files another id.
    try:
        modes = os.stat(old).st_mode, os.stat(new).st_mode
        return modes[0] == modes[1] and filecmp.cmp(old, new, shallow=False)
    except OSError:
        return False


def _large_files(stored: StoredRevision) -> dict[str, str]:
    """Return the files beside Git by their paths in the project."""
    message = run_git(stored.repository, "cat-file", "commit", stored.revision)
    files = LargeFiles(Store(stored.repository))
    names = large_files.in_message(message)
    return {path: files.path(name) for path, name in names.items()}
