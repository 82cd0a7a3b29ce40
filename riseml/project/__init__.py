"""A project's folder as a revision: what a run starts from, whatever is edited afterwards.

    folder ──walk──▶ Tree ──take──▶ blobs ──write_trees──▶ trees ──commit──▶ revision ──checkout.sh──▶ /code
               ▲ ignore                 objects, store               compose
               └─ seen: what the last snapshot saw, so that only changed files are read

What a checkout gives is what lay in the folder, byte for byte: nested repositories, links, modes, empty folders, names
of any bytes. Left out are `.git`, every `riseml*.yml`, what ignore files name (`ignore`), and sockets and their like,
with a warning. Neither the user's repository nor Git's settings are used or touched, and no process is started.
"""

from collections.abc import Iterable
from os import PathLike
from typing import TYPE_CHECKING, NamedTuple

# It takes 10 ms to load
if TYPE_CHECKING:
    from pathlib import Path

Place = str | PathLike[str]


class Snapshot(NamedTuple):
    """A revision and what it holds: `size` in bytes; `ignored` counts the files and folders a .gitignore leaves out."""

    revision: str
    files: int
    size: int
    ignored: int
    warnings: tuple[str, ...]


def snapshot(
    folder: Place,
    repository: Place,
    *,
    gitignore: bool = True,
    message: str = "",
    without: Iterable[Place] = (),
) -> Snapshot:
    """Keep what lies in `folder` in RiseML's own repository, made on first use.

    The same content has the same revision, wherever and whenever it is taken. `message` goes beside it in the history
    of the branch. Folders in `without`, and the repository, are never part of the project.

    Raises:
        ProjectError: something in the folder cannot be read.
        HomeError: the repository cannot be written.
    """
    # Many commands know a Snapshot, and one takes it
    from riseml.project import record  # noqa: PLC0415

    return record.record(
        folder, repository, gitignore=gitignore, message=message, without=without
    )


def checkout(repository: Place, revision: str, folder: Place) -> None:
    """Write a revision into `folder`, which is empty or made; by the same script as in a cluster's pod.

    Raises:
        HomeError: there is no such revision, the folder cannot be written, or Git is missing.
    """
    from riseml.project import restore  # noqa: PLC0415

    restore.restore(repository, revision, folder)


def prune(repository: Place, keep: Iterable[str]) -> None:
    """Drop every revision but those in `keep`, and pack what stays; snapshots wait meanwhile.

    Raises:
        HomeError: the repository cannot be written, or Git is missing.
    """
    from riseml.project import cleanup  # noqa: PLC0415

    cleanup.prune(repository, keep)


def repositories(home: "Path") -> "Path":
    """Return the folder of all of RiseML's own repositories in a home."""
    return home / "store" / "repos"


def repository_of(project: str, home: "Path") -> "Path":
    """Return where a home keeps the code of a project."""
    return repositories(home) / f"{project}.git"


def tidy(home: "Path", keep: Iterable[str] = ()) -> None:
    """Prune all of a home's repositories but those in which somebody may just be about to start a run.

    Revisions that runs of this machine refer to stay, as do those in `keep`.

    Raises:
        HomeError: a repository cannot be written, the runs of this machine cannot be
            read, or Git is missing.
    """
    from riseml.project import cleanup  # noqa: PLC0415

    cleanup.tidy(home, keep)
