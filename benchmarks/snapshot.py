"""Snapshots and checkouts: 10,000 files of 200 MB compared with Git's own index, a small project, and a file of 1.2 GB.

One file changes before each measured run of a warm row, the same for all, unless the row says otherwise.
"""

import inspect
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from measure import Comparison, Figure, main, side_by_side, timed

from riseml.project import checkout, snapshot

GIT = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "PATH": os.environ["PATH"],
}
BASE = "git add -A && git write-tree"
# How the local engine asks for a snapshot; revisions before this option have one way for both engines.
HAS_SPLIT = "split" in inspect.signature(snapshot).parameters
FOR_MACHINE: dict[str, Any] = {"split": True} if HAS_SPLIT else {}
HAS_BASE = "base" in inspect.signature(checkout).parameters
GIGABYTE_FILE = 1_200_000_000
BLOCK = 10_000_000


def measure(rounds: int | None = None) -> Iterator[Figure]:
    """Yield the rows of the large tree, of the small one, and of the large file."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        big = grow(work / "big", 10_000, 20_000)
        small = grow(work / "small", 20, 4_000)
        yield _first(work, big, rounds or 5)
        warm = _warm(work, big, rounds or 15)
        name = "snapshot, one of 10,000 files changed"
        yield warm["one changed"].figure(name, target=1.2)
        yield warm["nothing changed"].figure("snapshot, nothing changed")
        yield _shared_checkout(work, big, rounds or 5)
        warm = _warm(work, small, rounds or 15)
        yield warm["one changed"].figure("snapshot of a small project, one changed")
        yield warm["process"].figure("the same as a process of its own")
        yield _checkout(work, small, rounds or 25)
        shutil.rmtree(big)
        yield from _large_file(work, rounds or 5)


def grow(folder: Path, files: int, size: int) -> Path:
    """Create files of half random bytes, half text, twenty per folder."""
    rng = random.Random(0)
    for number in range(files):
        path = (
            folder / f"d{number // 200:02}" / f"e{number // 20 % 10}" / f"{number}.py"
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(rng.randbytes(size // 2) + b"a line of text\n" * (size // 30))
    return folder


def git_tree(repository: Path, tree: Path) -> None:
    """Write a Git tree object of a folder."""
    command = ["git", f"--git-dir={repository}", f"--work-tree={tree}"]
    subprocess.run([*command, "add", "-A"], check=True, env=GIT)
    subprocess.run(
        [*command, "write-tree"], check=True, env=GIT, stdout=subprocess.DEVNULL
    )


def git_store(repository: Path) -> Path:
    """Make an empty repository."""
    shutil.rmtree(repository, ignore_errors=True)
    subprocess.run(["git", "init", "-q", "--bare", repository], check=True, env=GIT)
    subprocess.run(
        ["git", f"--git-dir={repository}", "config", "core.bare", "false"],
        check=True,
        env=GIT,
    )
    return repository


def _first(work: Path, tree: Path, rounds: int) -> Figure:
    times = side_by_side(
        {
            BASE: timed(
                lambda: git_tree(work / "cold.git", tree),
                before=lambda: git_store(work / "cold.git"),
            ),
            "snapshot": timed(
                lambda: snapshot(tree, work / "cold"),
                before=lambda: shutil.rmtree(work / "cold", ignore_errors=True),
            ),
        },
        base=BASE,
        rounds=rounds,
        warm=False,
    )
    return times["snapshot"].figure("first snapshot of 200 MB in 10,000 files", 0.1)


def _warm(work: Path, tree: Path, rounds: int) -> dict[str, Comparison]:
    repository = git_store(work / f"{tree.name}.git")
    store = work / f"{tree.name}.store"
    changed = next(tree.rglob("*.py"))

    def edit() -> None:
        with changed.open("ab") as file:
            file.write(b"#\n")

    code = (
        f"from riseml.project import snapshot; snapshot({str(tree)!r}, {str(store)!r})"
    )
    return side_by_side(
        {
            BASE: timed(lambda: git_tree(repository, tree), before=edit),
            "one changed": timed(lambda: snapshot(tree, store), before=edit),
            "nothing changed": timed(lambda: snapshot(tree, store)),
            "process": [sys.executable, "-c", code],
        },
        base=BASE,
        rounds=rounds,
    )


def _checkout(work: Path, tree: Path, rounds: int) -> Figure:
    store, code = work / f"{tree.name}.store", work / "code"
    revision = snapshot(tree, store).revision
    times = side_by_side(
        {
            "git --version": ["git", "--version"],
            "checkout": timed(
                lambda: checkout(store, revision, code),
                before=lambda: shutil.rmtree(code, ignore_errors=True),
            ),
        },
        base="git --version",
        rounds=rounds,
    )
    return times["checkout"].figure("checkout of a small project")


def _shared_checkout(work: Path, tree: Path, rounds: int) -> Figure:
    """Check out a revision as jobs of one machine share it, after one change."""
    store, first, code = work / f"{tree.name}.store", work / "first", work / "code"
    checkout(store, snapshot(tree, store).revision, first)
    with next(tree.rglob("*.py")).open("ab") as file:
        file.write(b"#\n")
    revision = snapshot(tree, store).revision
    shared: dict[str, Any] = {"base": first} if HAS_BASE else {}

    def clean() -> None:
        shutil.rmtree(code, ignore_errors=True)
        os.sync()

    times = side_by_side(
        {
            "checkout of all files": timed(
                lambda: checkout(store, revision, code), before=clean
            ),
            "checkout": timed(
                lambda: checkout(store, revision, code, **shared), before=clean
            ),
        },
        base="checkout of all files",
        rounds=rounds,
    )
    shutil.rmtree(code)
    return times["checkout"].figure("checkout, one of 10,000 files changed", 0.5)


def _large_file(work: Path, rounds: int) -> Iterator[Figure]:
    folder = work / "large"
    folder.mkdir()
    file, copy = folder / "weights.bin", work / "copy.bin"
    with file.open("wb") as stream:
        for _ in range(GIGABYTE_FILE // BLOCK):
            stream.write(os.urandom(BLOCK))

    def clean() -> None:
        copy.unlink(missing_ok=True)
        shutil.rmtree(work / "large.store", ignore_errors=True)
        # What was written before must not be written to the disk while the next is timed.
        os.sync()

    times = side_by_side(
        {
            "cp": timed(
                lambda: subprocess.run(["cp", file, copy], check=True), before=clean
            ),
            "snapshot": timed(
                lambda: snapshot(folder, work / "large.store", **FOR_MACHINE),
                before=clean,
            ),
            "objects": timed(
                lambda: snapshot(folder, work / "large.store"), before=clean
            ),
        },
        base="cp",
        rounds=rounds,
    )
    yield times["snapshot"].figure("first snapshot of one file of 1.2 GB", 1.5)
    yield times["objects"].figure(
        "the same for a cluster, as Git objects",
        1.5,
        note="is on the disk at the end, the copy is not",
    )


if __name__ == "__main__":
    main(measure)
