"""Cost of snapshots: 10,000 files and 200 MB compared with Git's own index, and a small project.

One file changes before each measured run, the same for all, unless the row says otherwise.
"""

import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from measure import compare, verdict

from riseml.project import checkout, snapshot

GIT = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "PATH": os.environ["PATH"],
}


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


def timed(
    work: Callable[[], object], before: Callable[[], object] = lambda: None
) -> Callable[[], float]:
    """Return a function that measures `work` without `before`."""

    def measure() -> float:
        before()
        begun = time.perf_counter()
        work()
        return time.perf_counter() - begun

    return measure


def git_tree(repository: Path, tree: Path) -> None:
    """Write a Git tree object of a folder."""
    command = ["git", f"--git-dir={repository}", f"--work-tree={tree}"]
    subprocess.run([*command, "add", "-A"], check=True, env=GIT)
    subprocess.run(
        [*command, "write-tree"], check=True, env=GIT, stdout=subprocess.DEVNULL
    )


def git_store(repository: Path) -> Path:
    shutil.rmtree(repository, ignore_errors=True)
    subprocess.run(["git", "init", "-q", "--bare", repository], check=True, env=GIT)
    subprocess.run(
        ["git", f"--git-dir={repository}", "config", "core.bare", "false"],
        check=True,
        env=GIT,
    )
    return repository


def first(work: Path, tree: Path) -> dict[str, float]:
    print("First time")
    return compare(
        {
            "git add -A, git write-tree": timed(
                lambda: git_tree(work / "cold.git", tree),
                before=lambda: git_store(work / "cold.git"),
            ),
            "snapshot": timed(
                lambda: snapshot(tree, work / "cold"),
                before=lambda: shutil.rmtree(work / "cold", ignore_errors=True),
            ),
        },
        base="git add -A, git write-tree",
        rounds=3,
    )


def again(work: Path, tree: Path, files: str) -> dict[str, float]:
    print(f"Again, {files}")
    repository, store = (
        git_store(work / f"{tree.name}.git"),
        work / f"{tree.name}.store",
    )
    changed = next(tree.rglob("*.py"))

    def edit() -> None:
        with changed.open("ab") as file:
            file.write(b"#\n")

    return compare(
        {
            "git add -A, git write-tree": timed(
                lambda: git_tree(repository, tree), before=edit
            ),
            "snapshot": timed(lambda: snapshot(tree, store), before=edit),
            "snapshot, nothing changed": timed(lambda: snapshot(tree, store)),
            "python -c pass": [sys.executable, "-c", "pass"],
            "snapshot, as a process": [
                *(sys.executable, "-c"),
                f"from riseml.project import snapshot; snapshot({str(tree)!r}, {str(store)!r})",
            ],
        },
        base="git add -A, git write-tree",
        rounds=15,
    )


def back(work: Path, tree: Path) -> None:
    print("Checkout of the small tree")
    store, code = work / f"{tree.name}.store", work / "code"
    revision = snapshot(tree, store).revision
    compare(
        {
            "git --version": ["git", "--version"],
            "checkout": timed(
                lambda: checkout(store, revision, code),
                before=lambda: shutil.rmtree(code, ignore_errors=True),
            ),
        },
        base="git --version",
        rounds=25,
    )


def main() -> None:
    work = Path(tempfile.mkdtemp())
    try:
        big, small = grow(work / "big", 10_000, 20_000), grow(work / "small", 20, 4_000)
        cold = first(work, big)
        warm = again(work, big, "10,000 files of 200 MB")
        again(work, small, "20 files of 80 kB")
        back(work, small)
        verdict("first snapshot against git", cold["snapshot"], 0.6)
        verdict("one of 10,000 files changed, against git", warm["snapshot"], 4)
        verdict("nothing changed, against git", warm["snapshot, nothing changed"], 4)
    finally:
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
