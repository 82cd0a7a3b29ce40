"""One snapshot from beginning to end, while the store is locked."""

import os
import time
from collections.abc import Iterable

from riseml.errors import ProjectError
from riseml.project import Place, Snapshot
from riseml.project.stat_cache import Seen
from riseml.project.store import Store, unusable
from riseml.project.walk import SIZE, Tree, walk
from riseml.project.warnings import remarks

# Device and inode
Identity = tuple[int, int]


def record(
    folder: Place,
    repository: Place,
    *,
    gitignore: bool,
    message: str,
    without: Iterable[Place],
) -> Snapshot:
    """Take a snapshot; see `riseml.project.snapshot`."""
    top = os.fsencode(folder)
    if not os.path.isdir(top):
        raise ProjectError(
            f"{os.fspath(folder)} is not a folder",
            "A project is the folder that holds its riseml.yml.",
        )
    store = Store(repository)
    try:
        with store.locked():
            return _record(
                top, store, gitignore, message, _identities((*without, store.path))
            )
    except OSError as error:
        raise unusable(repository, error) from error


def _record(
    top: bytes,
    store: Store,
    gitignore: bool,
    message: str,
    without: frozenset[Identity],
) -> Snapshot:
    seen = Seen(store, top)
    tree = walk(top, seen.folders, gitignore=gitignore, without=without)
    revision = seen.revision
    if not revision or not tree.is_same():
        revision = _write(store, tree, seen.revision, message)
        seen.save(revision, tree.folders)
    sizes = [key[SIZE] for found in tree.folders for key, _ in found.files.values()]
    return Snapshot(
        revision,
        len(sizes),
        sum(sizes),
        tree.ignored,
        remarks(tree, len(sizes), sum(sizes)),
    )


def _write(store: Store, tree: Tree, last: str, message: str) -> str:
    """Write what is new, the objects first and the branch when all of them are there."""
    # Only when something has changed
    from riseml.project import compose, content, objects  # noqa: PLC0415

    with objects.adding(
        store, len(tree.pending), sum(key[SIZE] for _, _, key in tree.pending)
    ) as new:
        content.take(tree, new)
        compose.write_trees(tree, new)
        revision = compose.commit(tree, new)
        if revision != last:
            told = {"tip": store.tip(), "revision": revision, "message": message}
            tip = compose.chain(tree, new, **told, now=int(time.time()))
    if revision != last:
        store.advance(tip)
    return revision


def _identities(folders: Iterable[Place]) -> frozenset[Identity]:
    found = (os.stat(folder) for folder in folders if os.path.isdir(folder))
    return frozenset((status.st_dev, status.st_ino) for status in found)
