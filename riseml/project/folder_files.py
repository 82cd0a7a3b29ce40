"""Files of a project's folder, without a snapshot of it."""

import os
from pathlib import Path

from riseml.project.project_files import ProjectFiles
from riseml.project.walk import walk


def folder_files(folder: Path, *, gitignore: bool = True) -> ProjectFiles:
    """Return the files that a snapshot of a folder would hold; each digest is only the path.

    Raises:
        ProjectError: a folder cannot be read.
    """
    # Without an earlier snapshot, the content of every file is pending.
    tree = walk(os.fsencode(folder), {}, gitignore=gitignore)
    paths = [os.fsdecode(parent.path + name) for parent, name, _ in tree.pending]

    def read(path: str) -> str:
        try:
            return (folder / path).read_text("utf-8", errors="replace")
        except OSError:
            return ""

    return ProjectFiles({path: path for path in paths}, read)
