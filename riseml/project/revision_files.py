"""What a revision of a project's code consists of."""

import os
import subprocess
from pathlib import Path

from riseml.errors import ProjectError
from riseml.project import repository_of


def contents(home: Path, project: str, revision: str) -> dict[str, str]:
    """Return the files of a revision in a home's repository, each with a digest of its mode and content.

    Raises:
        ProjectError: the home does not have it.
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
            "Start it again: `riseml train` stores the folder anew.",
        )
    lines = (
        line.partition("\t") for line in os.fsdecode(listed.stdout).split("\0") if line
    )
    return {path: " ".join(what.split()[::2]) for what, _, path in lines}
