"""Files of a revision of a project's code."""

import os
import subprocess
from pathlib import Path

from riseml.errors import ProjectError
from riseml.project import repository_of
from riseml.project.project_files import ProjectFiles


def project_files(home: Path, project: str, revision: str) -> ProjectFiles:
    """Return the files of a revision.

    Raises:
        ProjectError: the home does not have the revision.
    """
    digests = contents(home, project, revision)
    repository = repository_of(project, home)

    def read(path: str) -> str:
        blob = digests[path].split()[1]
        command = ["git", f"--git-dir={repository}", "cat-file", "blob", blob]
        completed = subprocess.run(command, capture_output=True, check=False)
        return completed.stdout.decode(errors="replace")

    return ProjectFiles(digests, read)


def contents(home: Path, project: str, revision: str) -> dict[str, str]:
    """Return the files of a revision, each with a digest of its mode and content.

    Raises:
        ProjectError: the home does not have the revision.
    """
    command = [
        "git",
        f"--git-dir={repository_of(project, home)}",
        "ls-tree",
        "-r",
        "-z",
        revision,
    ]
    listed = subprocess.run(command, capture_output=True, check=False)
    if listed.returncode:
        detail = listed.stderr.decode(errors="replace").strip()
        raise ProjectError(
            f"the code of revision {revision[:12]} cannot be read: {detail}",
            "Run `riseml train` again, which stores the folder again.",
        )
    digests = {}
    # Each record is `<mode> <type> <id>`, a tab and the path.
    for record in os.fsdecode(listed.stdout).split("\0"):
        if record:
            fields, _, path = record.partition("\t")
            mode, _, blob = fields.split()
            digests[path] = f"{mode} {blob}"
    return digests
