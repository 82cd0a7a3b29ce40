"""Dropping revisions that no run needs any more."""

import os
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

from riseml.errors import HomeError
from riseml.project import Place, compose, references, repositories
from riseml.project.objects import Loose
from riseml.project.store import Store, unusable

# Seconds in which a snapshot may still be on its way to becoming a run
_FRESH = 600.0


def tidy(home: Path, keep: Iterable[str]) -> None:
    """Prune all of a home's repositories; see `riseml.project.tidy`."""
    kept = references.revisions(home).union(keep)
    for branch in repositories(home).glob("*.git/refs/heads/riseml"):
        if time.time() - branch.stat().st_mtime > _FRESH:
            prune(branch.parents[2], kept)


def prune(repository: Place, keep: Iterable[str]) -> None:
    """Keep these revisions only; see `riseml.project.prune`."""
    store = Store(repository)
    try:
        with store.locked():
            _prune(store, sorted(set(keep)))
    except OSError as error:
        raise unusable(repository, error) from error


def _prune(store: Store, keep: list[str]) -> None:
    with os.scandir(store.private) as entries:
        for entry in entries:
            if entry.name.startswith("seen-"):
                # It may name objects that go now
                os.unlink(entry.path)
    known = _git(
        store,
        "cat-file",
        "--batch-check=%(objectname) %(objecttype)",
        told="".join(f"{r}\n" for r in keep),
    )
    kept = tuple(
        line.split(" ")[0] for line in known.splitlines() if line.endswith(" commit")
    )
    new = Loose(store)
    tip = compose.commit_data(
        new.add(b"tree", b"").hex(), kept, int(time.time()), "Keep what runs need\n"
    )
    store.advance(new.add(b"commit", tip).hex())
    _git(store, "-c", "repack.writeBitmaps=false", "repack", "-a", "-d", "-q")
    _git(store, "prune", "--expire=now")


def _git(store: Store, *arguments: str, told: str = "") -> str:
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
            input=told,
            capture_output=True,
            text=True,
            check=True,
        )
    except FileNotFoundError as error:
        raise HomeError("there is no `git` to prune with", "Install Git.") from error
    except subprocess.CalledProcessError as error:
        raise HomeError(
            f"cannot prune {store.path}: {error.stderr.strip()}",
            f"`git -C {store.path} fsck` says more.",
        ) from error
    return done.stdout
