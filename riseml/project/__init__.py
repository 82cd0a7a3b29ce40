"""Snapshots of a project's folder: a run starts from one, whatever is edited afterwards.

    folder ──walk──▶ Tree ──take──▶ blobs ──write_trees──▶ trees ──commit──▶ revision ──checkout.sh──▶ /code
               ▲ ignore                 objects, store               compose
               └─ stat_cache: what the last snapshot saw, so that only changed files are read

A checkout gives what was in the folder, byte for byte: nested repositories, links, modes,
empty folders, names of any bytes. A snapshot excludes `.git`, every `riseml*.yml`, what ignore
files name (`ignore`), and sockets and the like, with a warning. It neither uses nor touches
the user's repository and Git's settings, and starts no process.
"""

from collections.abc import Iterable
from os import PathLike
from typing import TYPE_CHECKING, NamedTuple

# pathlib takes 10 ms to load.
if TYPE_CHECKING:
    from pathlib import Path

AnyPath = str | PathLike[str]


class Exclusion(NamedTuple):
    """A path that a snapshot leaves out, or a pattern for many of one folder.

    `source` is the ignore file that names it, relative to the project. `size` is the
    number of its bytes, at least that if it is not `complete`, and None if not known.
    Folders end with a slash.
    """

    path: str
    source: str
    size: int | None
    complete: bool = True


class Snapshot(NamedTuple):
    """A revision of a project's code.

    `size` is the number of bytes in its `files`. `ignored` counts the files and folders that
    a .gitignore excludes. `excluded` is what any ignore file excludes, the largest first and
    without well-known junk.
    """

    revision: str
    files: int
    size: int
    ignored: int
    warnings: tuple[str, ...]
    excluded: tuple[Exclusion, ...] = ()


class Survey(NamedTuple):
    """What a snapshot of a folder would hold, and what it would leave out.

    `files` is the number of its files, and `size` that of their bytes.
    """

    files: int
    size: int
    excluded: tuple[Exclusion, ...]


class PrunedCode(NamedTuple):
    """What a prune did to the code of a project, in numbers of revisions.

    `unused` ones are needed by no run: they were removed, unless the code `is_fresh`.
    `freed` is in bytes.
    """

    project: str
    unused: int
    used: int
    freed: int
    is_fresh: bool

    def describe(self) -> str:
        """Return what was removed and what is kept, and why, as a sentence."""
        used = f"{_count(self.used)} of {self.project}, which runs use"
        if not self.unused:
            return f"Kept {used}."
        unused = f"{_count(self.unused)} of {self.project}"
        if self.is_fresh:
            return (
                f"Kept {unused}, which no run uses: code was synced within the last 10"
                " minutes, and a run of it may be about to start."
            )
        removed = f"Removed {unused} ({self.freed / 1e6:.1f} MB), which no run uses"
        return f"{removed}; kept {used}." if self.used else f"{removed}."


class UnusedCode(NamedTuple):
    """Code of a project that no run needs: bytes of its Git objects, and paths of large files.

    The objects take at least that much, since pruning packs those that stay as well.
    """

    project: str
    objects: int
    files: tuple[str, ...]


def _count(revisions: int) -> str:
    return "1 revision" if revisions == 1 else f"{revisions} revisions"


def snapshot(
    folder: AnyPath,
    repository: AnyPath,
    *,
    gitignore: bool = True,
    message: str = "",
    without: Iterable[AnyPath] = (),
    home: AnyPath | None = None,
    split: bool = False,
) -> Snapshot:
    """Store the files of `folder` in RiseML's own repository, which is made on first use.

    The same content has the same revision, wherever and whenever it is stored. `message` is
    recorded in the history of the branch. Folders in `without`, and the repository, never
    belong to the project. With `gitignore`, files that `riseml cp` of a `home` wrote are
    excluded as well. With `split`, large files are kept beside Git, once each: only this
    machine can check out such a revision, which differs from the usual one.

    Raises:
        ProjectError: a file in the folder cannot be read.
        HomeError: the repository cannot be written.
    """
    # Many commands import Snapshot, and only one takes a snapshot.
    from riseml.project import record  # noqa: PLC0415

    return record.record(
        folder,
        repository,
        gitignore=gitignore,
        message=message,
        without=without,
        home=home,
        split=split,
    )


def checkout(
    repository: AnyPath,
    revision: str,
    folder: AnyPath,
    *,
    link: bool = False,
    base: AnyPath | None = None,
) -> None:
    """Write a revision into `folder`, which is empty or does not exist yet.

    With `link`, large files are hard links to those of the repository where possible, so
    nobody may ever write to them. With `base`, the folder of an earlier checkout that nobody
    writes to either, unchanged files are hard links to those there. Without a base, it runs
    the same script as a pod of a cluster.

    Raises:
        HomeError: there is no such revision, the folder cannot be written, or Git is missing.
    """
    from riseml.project import restore  # noqa: PLC0415

    if base is None or not restore.share(repository, revision, folder, base):
        restore.restore(repository, revision, folder, link=link)


def prune(repository: AnyPath, keep: Iterable[str]) -> None:
    """Remove every revision except those in `keep`, and pack the others; snapshots wait meanwhile.

    Raises:
        HomeError: the repository cannot be written, or Git is missing.
    """
    from riseml.project import cleanup  # noqa: PLC0415

    cleanup.prune(repository, keep)


def repositories(home: "Path") -> "Path":
    """Return the folder of all repositories in a home."""
    return home / "store" / "repos"


def repository_of(project: str, home: "Path") -> "Path":
    """Return the repository of a project in a home."""
    return repositories(home) / f"{project}.git"


def tidy(home: "Path", keep: Iterable[str] = ()) -> tuple[PrunedCode, ...]:
    """Prune all repositories of a home, except those of which a run may be starting right now.

    Returns what it did to each. Revisions that runs of this machine refer to stay, and those in `keep`.

    Raises:
        HomeError: a repository cannot be written, the runs of this machine cannot be
            read, or Git is missing.
    """
    from riseml.project import cleanup  # noqa: PLC0415

    return cleanup.tidy(home, keep)


def unused_code(home: "Path", without: Iterable[int] = ()) -> tuple[UnusedCode, ...]:
    """Return what `tidy` would remove if the runs with these numbers did not exist.

    Raises:
        HomeError: a repository cannot be read, or Git is missing.
    """
    from riseml.project import cleanup  # noqa: PLC0415

    return cleanup.unused(home, without)
