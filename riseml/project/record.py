"""Snapshot of a folder: walk, write what is new, advance the branch."""

import gc
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from riseml import home_folder
from riseml.errors import ProjectError
from riseml.project import AnyPath, Snapshot, copied, excluded, progress
from riseml.project.folders import SIZE
from riseml.project.stat_cache import StatCache
from riseml.project.store import Store, unusable
from riseml.project.walk import Tree, walk
from riseml.project.warnings import describe

Identity = tuple[int, int]
"""Device and inode of a folder."""


def record(
    folder: AnyPath,
    repository: AnyPath,
    *,
    gitignore: bool,
    message: str,
    without: Iterable[AnyPath],
    home: AnyPath | None,
    split: bool,
) -> Snapshot:
    """Take a snapshot; see `riseml.project.snapshot`."""
    top = os.fsencode(folder)
    if not os.path.isdir(top):
        raise ProjectError(
            f"{os.fspath(folder)} is not a folder",
            "A project is the folder that holds its riseml.yml.",
        )
    if home is not None:
        _make_folders(Path(home), Path(repository))
    store = Store(repository)
    # Only few projects have copied files, and the record of a home is small.
    copied_files = copied.rules(home, top) if home is not None else ()
    try:
        with store.locked(), _paused_collector():
            cache = StatCache(store, top, split=split)
            tree = walk(
                top,
                cache.folders,
                gitignore=gitignore,
                without=_identities((*without, store.path)),
                copied=copied_files,
            )
            tree.splits = split
            return _record(store, cache, tree, message)
    except OSError as error:
        raise unusable(repository, error) from error


@contextmanager
def _paused_collector() -> Iterator[None]:
    """Collect no garbage while the block runs.

    A walk makes many objects and no cycles. Looking for those is a tenth of the time of a
    snapshot of 10,000 files with one change.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _make_folders(home: Path, repository: Path) -> None:
    """Make a home, and the folder in it that contains a repository, for this user only."""
    home_folder.prepare(home)
    if repository.is_relative_to(home):
        top, *_ = repository.relative_to(home).parts
        home_folder.make_folder(home / top)


def _record(store: Store, cache: StatCache, tree: Tree, message: str) -> Snapshot:
    revision = cache.revision
    if not revision or not tree.is_same():
        revision = _write(store, tree, cache.revision, message)
        cache.save(revision, tree.folders)
    # `prune` keeps all revisions of a store that was used a short time ago.
    store.touch()
    files = 0
    size = 0
    for folder in tree.folders:
        files += folder.totals.files
        size += folder.totals.size
    warnings = describe(tree, files, size)
    return Snapshot(
        revision, files, size, tree.ignored, warnings, excluded.describe(tree)
    )


def _write(store: Store, tree: Tree, previous_revision: str, message: str) -> str:
    """Write the objects of a walk, and let the branch name its commit; return the revision."""
    # Most snapshots find nothing new, and need none of these.
    from riseml.project import compose, content, objects  # noqa: PLC0415
    from riseml.project.large_files import LargeFiles  # noqa: PLC0415

    sizes = [key[SIZE] for _, _, key in tree.pending if not tree.is_beside_git(key)]
    progress.begin("store", sum(key[SIZE] for _, _, key in tree.pending))
    tip = None
    expected = compose.expected_objects(tree)
    with objects.adding(store, len(sizes), sum(sizes), expected) as writer:
        content.take(tree, writer, LargeFiles(store))
        compose.write_trees(tree, writer)
        revision = compose.commit(tree, writer)
        if revision != previous_revision:
            tip = compose.chain(
                tree,
                writer,
                tip=store.tip(),
                revision=revision,
                message=message,
                now=int(time.time()),
            )
        # What follows may have to wait for the disk.
        progress.begin("write")
    # A branch must not name a commit before all of its objects are visible.
    if tip is not None:
        store.advance(tip)
    return revision


def _identities(folders: Iterable[AnyPath]) -> frozenset[Identity]:
    identities = set()
    for folder in folders:
        if os.path.isdir(folder):
            status = os.stat(folder)
            identities.add((status.st_dev, status.st_ino))
    return frozenset(identities)
