"""A project's folder as a revision: what a run starts from, whatever is edited afterwards.

    folder ──walk──▶ Tree ──take──▶ blobs ──write_trees──▶ trees ──commit──▶ revision ──checkout.sh──▶ /code
               ▲ ignore                 objects, store               compose
               └─ seen: what the last snapshot saw, so that only changed files are read

What a checkout gives is what lay in the folder, byte for byte: nested repositories, links, modes, empty folders, names
of any bytes. Left out are `.git`, every `riseml*.yml`, what ignore files name (`ignore`), and sockets and their like,
with a warning. Neither the user's repository nor Git's settings are used or touched, and no process is started.
"""

import os
import time
from collections.abc import Iterable
from typing import NamedTuple

from riseml.errors import ProjectError
from riseml.project.checkout import checkout
from riseml.project.remarks import remarks
from riseml.project.seen import Seen
from riseml.project.store import Place, Store, unusable
from riseml.project.walk import SIZE, Tree, walk

__all__ = ["Snapshot", "checkout", "snapshot"]


class Snapshot(NamedTuple):
    """A revision and what it holds: `size` in bytes; `ignored` counts the files and folders a .gitignore leaves out."""

    revision: str
    files: int
    size: int
    ignored: int
    warnings: tuple[str, ...]


def snapshot(
    folder: Place, repository: Place, *, gitignore: bool = True, message: str = "", without: Iterable[Place] = ()
) -> Snapshot:
    """Keep what lies in `folder` in RiseML's own repository, made on first use.

    The same content has the same revision, wherever and whenever it is taken. `message` goes beside it in the history
    of the branch. Folders in `without`, and the repository, are never part of the project.

    Raises:
        ProjectError: something in the folder cannot be read.
        HomeError: the repository cannot be written.
    """
    top = os.fsencode(folder)
    if not os.path.isdir(top):
        raise ProjectError(f"{os.fspath(folder)} is not a folder", "A project is the folder that holds its riseml.yml.")
    store = Store(repository)
    try:
        with store.locked():
            return _snapshot(top, store, gitignore, message, _identities(without, store.path))
    except OSError as error:
        raise unusable(repository, error) from error


def _snapshot(top: bytes, store: Store, gitignore: bool, message: str, without: frozenset[tuple[int, int]]) -> Snapshot:
    seen = Seen(store, top)
    tree = walk(top, seen.folders, gitignore=gitignore, without=without)
    revision = seen.revision
    if not revision or not tree.is_same():
        revision = _record(store, tree, seen.revision, message)
        seen.save(revision, tree.folders)
    sizes = [key[SIZE] for found in tree.folders for key, _ in found.files.values()]
    return Snapshot(revision, len(sizes), sum(sizes), tree.ignored, remarks(tree, len(sizes), sum(sizes)))


def _record(store: Store, tree: Tree, last: str, message: str) -> str:
    """Write what is new, the objects first and the branch when all of them are there."""
    from riseml.project import compose, content, objects  # noqa: PLC0415 - only when something has changed

    with objects.adding(store, len(tree.pending), sum(key[SIZE] for _, _, key in tree.pending)) as new:
        content.take(tree, new)
        compose.write_trees(tree, new)
        revision = compose.commit(tree, new)
        if revision != last:
            told = {"tip": store.tip(), "revision": revision, "message": message}
            tip = compose.chain(tree, new, **told, now=int(time.time()))
    if revision != last:
        store.advance(tip)
    return revision


def _identities(folders: Iterable[Place], repository: str) -> frozenset[tuple[int, int]]:
    found = (os.stat(folder) for folder in (*folders, repository) if os.path.isdir(folder))
    return frozenset((status.st_dev, status.st_ino) for status in found)
