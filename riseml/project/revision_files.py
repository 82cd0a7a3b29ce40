"""Files of a revision of a project's code."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from riseml.errors import ProjectError
from riseml.project import large_files, repository_of
from riseml.project.large_files import LargeFiles
from riseml.project.project_files import ProjectFiles
from riseml.project.store import Store

_OWNER_EXECUTES = 0o100


def project_files(home: Path, project: str, revision: str) -> ProjectFiles:
    """Return the files of a revision.

    Raises:
        ProjectError: the home does not have the revision.
    """
    repository = repository_of(project, home)
    large = _large_files(repository, revision)
    digests = contents(home, project, revision)

    def read(path: str) -> str:
        if path in large:
            file = Path(LargeFiles(Store(repository)).path(large[path]))
            return file.read_text("utf-8", "replace")
        blob = digests[path].split()[1]
        return run_git(repository, "cat-file", "blob", blob)

    return ProjectFiles(digests, read)


def contents(home: Path, project: str, revision: str) -> dict[str, str]:
    """Return the files of a revision, each with a digest of its mode and content.

    Raises:
        ProjectError: the home does not have the revision.
    """
    repository = repository_of(project, home)
    digests = dict(_in_git(repository, revision))
    for path, name in _large_files(repository, revision).items():
        blob, _, mode = name.partition("-")
        # As in a tree of Git, so that a build has the same key everywhere.
        git_mode = "100755" if int(mode, 8) & _OWNER_EXECUTES else "100644"
        digests[path] = f"{git_mode} {blob}"
    return digests


def _in_git(repository: Path, revision: str) -> Iterator[tuple[str, str]]:
    """Yield path and digest of the files in Git's tree."""
    listed = run_git(repository, "ls-tree", "-r", "-z", revision)
    # Each record is `<mode> <type> <id>`, a tab and the path.
    for record in filter(None, listed.split("\0")):
        fields, _, path = record.partition("\t")
        mode, _, blob = fields.split()
        yield path, f"{mode} {blob}"


def _large_files(repository: Path, revision: str) -> dict[str, str]:
    message = run_git(repository, "cat-file", "commit", revision)
    return large_files.in_message(message)


def run_git(repository: Path, *arguments: str) -> str:
    """Return what a command of Git prints about a repository of RiseML.

    The last argument is the revision.

    Raises:
        ProjectError: it failed.
    """
    command = ["git", f"--git-dir={repository}", *arguments]
    try:
        completed = subprocess.run(command, capture_output=True, check=False)
    except FileNotFoundError:
        raise ProjectError(
            "cannot read the code of a run without `git`", "Install Git."
        ) from None
    if completed.returncode:
        detail = completed.stderr.decode(errors="replace").strip()
        raise ProjectError(
            f"the code of revision {arguments[-1][:12]} cannot be read: {detail}",
            "Run `riseml train` again, which stores the folder again.",
        )
    return os.fsdecode(completed.stdout)
