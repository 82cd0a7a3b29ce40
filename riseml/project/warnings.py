"""Warnings about a snapshot: files that it cannot hold, no files, or a lot of them."""

import os
from collections.abc import Callable, Iterator
from operator import attrgetter
from typing import NamedTuple

from riseml.excerpts import counted
from riseml.project.folders import SIZE, Folder, Totals
from riseml.project.walk import Tree

_LARGE_BYTES = 50 << 20
_MANY_FILES = 1000
_MAX_NAMES = 3
# A folder is named instead of the one above it if it holds that share of it.
_MAIN_SHARE = 0.9
# A smaller share of the project is not worth naming.
_LEAST_SHARE = 0.05


class _Unit(NamedTuple):
    """What makes a project large: the bytes of its files, or their number."""

    total: Callable[[Totals], int]
    amount: Callable[[int], int]
    text: Callable[[int], str]


class _Share(NamedTuple):
    """A folder or file, and its amount of bytes or files."""

    amount: int
    path: bytes
    folder: Folder | None


def describe(tree: Tree, files: int, size: int) -> tuple[str, ...]:
    """Return the warnings about a snapshot, one line each."""
    warnings = []
    if tree.special:
        warnings.append(_special(tree.special))
    if not files:
        cause = ""
        if tree.ignored:
            cause = f"; .gitignore leaves out {tree.ignored} files and folders"
        warnings.append(f"The project has no files{cause}.")
    if size >= _LARGE_BYTES:
        advice = _advice(tree, _BYTES)
        warnings.append(f"The project is large ({_megabytes(size)}): {advice}")
    elif files >= _MANY_FILES:
        advice = _advice(tree, _FILES)
        warnings.append(f"The project has many files ({files}): {advice}")
    return tuple(warnings)


def _special(paths: list[bytes]) -> str:
    names = counted(list(map(os.fsdecode, sorted(paths))), _MAX_NAMES)
    return f"Left out, since a snapshot holds only files, folders and links: {names}"


def _advice(tree: Tree, unit: _Unit) -> str:
    """Return advice that names the largest folders and files."""
    totals = _totals(tree, unit)
    shares = list(_shares(tree.folders[0], totals, unit))
    shares.sort(reverse=True, key=lambda share: share.amount)
    names = []
    for share in shares[:_MAX_NAMES]:
        if share.amount >= _LEAST_SHARE * totals[b""]:
            largest = _narrowed(share, totals, unit)
            amount = unit.text(largest.amount)
            names.append(f"{os.fsdecode(largest.path)} ({amount})")
    return (
        "name what jobs do not need in .risemlignore. "
        f"The largest are: {', '.join(names)}"
    )


def _totals(tree: Tree, unit: _Unit) -> dict[bytes, int]:
    """Return the amount below each folder."""
    totals: dict[bytes, int] = {}
    # The total of a folder contains those of the folders below it, which come later.
    for folder in reversed(tree.folders):
        total = unit.total(folder.totals)
        for child in folder.folders.values():
            total += totals[child.path]
        totals[folder.path] = total
    return totals


def _shares(folder: Folder, totals: dict[bytes, int], unit: _Unit) -> Iterator[_Share]:
    """Yield what lies directly in a folder."""
    for name, (key, _) in folder.files.items():
        yield _Share(unit.amount(key[SIZE]), folder.path + name, None)
    for child in folder.folders.values():
        yield _Share(totals[child.path], child.path, child)


def _narrowed(share: _Share, totals: dict[bytes, int], unit: _Unit) -> _Share:
    """Return the deepest folder or file that holds most of a folder."""
    while share.folder:
        shares = _shares(share.folder, totals, unit)
        largest = max(shares, default=None, key=lambda inner: inner.amount)
        if largest is None or largest.amount < _MAIN_SHARE * share.amount:
            break
        share = largest
    return share


def _megabytes(count: int) -> str:
    return f"{count / (1 << 20):.1f} MB"


_BYTES = _Unit(attrgetter("size"), lambda size: size, _megabytes)
_FILES = _Unit(attrgetter("files"), lambda _size: 1, str)
