"""Removal of revisions that no run needs any more."""

import os
import subprocess
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path

from riseml import disk
from riseml.errors import HomeError
from riseml.project import (
    AnyPath,
    PrunedCode,
    UnusedCode,
    compose,
    large_files,
    references,
    repositories,
)
from riseml.project.large_files import LargeFiles
from riseml.project.objects import Loose
from riseml.project.stat_cache import delete_caches
from riseml.project.store import Store, unusable

# A younger snapshot may not have become a run yet.
_FRESH_SECONDS = 600.0


def tidy(home: Path, keep: Iterable[str]) -> tuple[PrunedCode, ...]:
    """Prune all repositories of a home; see `riseml.project.tidy`."""
    revisions = references.revisions(home).union(keep)
    results = []
    for branch in sorted(repositories(home).glob("*.git/refs/heads/riseml")):
        results.append(_tidy(branch.parents[2], branch, revisions))
    return tuple(results)


def _tidy(repository: Path, branch: Path, keep: Collection[str]) -> PrunedCode:
    store = Store(repository)
    try:
        with store.locked():
            store.discard_unfinished()
            revisions = _revisions(store)
            # A snapshot holds the lock, so its age does not change meanwhile.
            is_fresh = time.time() - branch.stat().st_mtime <= _FRESH_SECONDS
            size = _size(repository)
            used = revisions.intersection(keep)
            if not is_fresh:
                _prune(store, sorted(used))
    except OSError as error:
        raise unusable(repository, error) from error
    freed = size - _size(repository)
    unused = len(revisions) - len(used)
    return PrunedCode(repository.stem, unused, len(used), max(freed, 0), is_fresh)


def unused(home: Path, without: Iterable[int]) -> tuple[UnusedCode, ...]:
    """Return what `tidy` would remove of each repository; see `riseml.project.unused_code`."""
    keep = references.revisions(home, without)
    results = []
    for branch in sorted(repositories(home).glob("*.git/refs/heads/riseml")):
        store = Store(branch.parents[2])
        try:
            is_fresh = time.time() - branch.stat().st_mtime <= _FRESH_SECONDS
            if not is_fresh:
                results.append(_unused(store, keep))
        except OSError as error:
            raise unusable(branch.parents[2], error) from error
    return tuple(results)


def _unused(store: Store, keep: Collection[str]) -> UnusedCode:
    revisions = _revisions(store)
    used = sorted(revisions.intersection(keep))
    rest = sorted(revisions.difference(keep))
    name = Path(store.path).stem
    if not rest:
        return UnusedCode(name, 0, ())
    lines = "".join(map("{}\n".format, [*rest, *map("^{}".format, used)]))
    options = ("--disk-usage", "--objects", "--stdin")
    size = int(_git(store, "rev-list", *options, stdin=lines))
    files = LargeFiles(store)
    names = files.names()
    # Few projects have large files, and each revision takes a process of Git.
    removed = names.difference(_large_files(store, used)) if names else ()
    return UnusedCode(name, size, tuple(map(files.path, sorted(removed))))


def prune(repository: AnyPath, keep: Iterable[str]) -> None:
    """Keep these revisions only; see `riseml.project.prune`."""
    store = Store(repository)
    try:
        with store.locked():
            _prune(store, _existing(store, sorted(set(keep))))
    except OSError as error:
        raise unusable(repository, error) from error


def _prune(store: Store, keep: Sequence[str]) -> None:
    delete_caches(store)
    objects = Loose(store)
    empty_tree = objects.add(b"tree", b"").hex()
    # Git collects what the branch does not reach, so the new tip reaches what stays.
    tip = compose.commit_data(
        empty_tree, tuple(keep), int(time.time()), "Keep what runs need\n"
    )
    store.advance(objects.add(b"commit", tip).hex())
    _git(store, "-c", "repack.writeBitmaps=false", "repack", "-a", "-d", "-q")
    _git(store, "prune", "--expire=now")
    LargeFiles(store).keep(_large_files(store, keep))


def _revisions(store: Store) -> set[str]:
    """Return all revisions of a repository."""
    revisions = set()
    options = ("--max-parents=0", "--all", "--format=%H %s")
    for line in _git(store, "log", *options).splitlines():
        commit, _, subject = line.partition(" ")
        # The commit that `_prune` made is not one.
        if subject == compose.SUBJECT:
            revisions.add(commit)
    return revisions


def _size(folder: Path) -> int:
    """Return the bytes of all files in a folder."""
    size = 0
    for path in folder.rglob("*"):
        if path.is_file():
            size += path.stat().st_size
    return size


def _large_files(store: Store, revisions: Iterable[str]) -> Iterator[str]:
    """Yield the names of the large files of revisions."""
    for revision in revisions:
        message = _git(store, "cat-file", "commit", revision)
        yield from large_files.in_message(message).values()


def _existing(store: Store, revisions: list[str]) -> tuple[str, ...]:
    """Return the revisions that the repository has."""
    lines = "".join(map("{}\n".format, revisions))
    check = "--batch-check=%(objectname) %(objecttype)"
    existing = []
    for line in _git(store, "cat-file", check, stdin=lines).splitlines():
        name, _, kind = line.partition(" ")
        if kind == "commit":
            existing.append(name)
    return tuple(existing)


def _git(store: Store, *arguments: str, stdin: str = "") -> str:
    # The user's settings must not change what Git does with RiseML's own repository.
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "GIT_DIR": store.path,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "LC_ALL": "C",
    }
    try:
        done = subprocess.run(
            ["git", *arguments],
            env=environment,
            input=stdin,
            capture_output=True,
            text=True,
            check=True,
        )
    except FileNotFoundError as error:
        raise HomeError("there is no `git` to prune with", "Install Git.") from error
    except subprocess.CalledProcessError as error:
        repository = Path(store.path)
        if not disk.has_room(repository):
            failure = f"cannot remove unused code from {repository}"
            raise disk.full(repository, failure) from error
        raise HomeError(
            f"cannot prune {store.path}: {error.stderr.strip()}",
            f"`git -C {store.path} fsck` says more.",
        ) from error
    return done.stdout
