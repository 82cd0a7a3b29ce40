"""What a user should know of a snapshot: that something was left out, or that there is nothing, or a lot."""

import os
from typing import NamedTuple

from riseml.project.walk import SIZE, Folder, Tree

_LARGE = 50 << 20
_MANY = 1000
_SHOWN = 3
# Of a folder: what holds so much of it is named in its stead
_MOST = 0.9
# Of the project: less is not worth naming
_LEAST = 0.05


class _Part(NamedTuple):
    """A folder or file, and how much of the project it is: bytes, or files."""

    amount: int
    path: bytes
    folder: Folder | None


def remarks(tree: Tree, files: int, size: int) -> tuple[str, ...]:
    """Return one line for each thing worth saying."""
    found = [_special(tree.special)] if tree.special else []
    if not files:
        why = (
            f"; .gitignore leaves out {tree.ignored} files and folders"
            if tree.ignored
            else ""
        )
        found.append(f"The project has no files{why}.")
    if size >= _LARGE:
        found.append(
            f"The project is large ({_size(size)}): {_advice(tree, by_size=True)}"
        )
    elif files >= _MANY:
        found.append(
            f"The project has many files ({files}): {_advice(tree, by_size=False)}"
        )
    return tuple(found)


def _special(paths: list[bytes]) -> str:
    more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    shown = ", ".join(os.fsdecode(path) for path in sorted(paths)[:_SHOWN])
    return (
        f"Left out, since a snapshot holds only files, folders and links: {shown}{more}"
    )


def _advice(tree: Tree, *, by_size: bool) -> str:
    totals: dict[bytes, int] = {}
    for folder in reversed(tree.folders):
        own = (
            sum([key[SIZE] for key, _ in folder.files.values()])
            if by_size
            else len(folder.files)
        )
        totals[folder.path] = own + sum(
            totals[child.path] for child in folder.folders.values()
        )
    largest = sorted(
        _parts(tree.folders[0], totals, by_size=by_size),
        reverse=True,
        key=lambda part: part.amount,
    )
    worth = (part for part in largest[:_SHOWN] if part.amount >= _LEAST * totals[b""])
    named = (_narrowed(part, totals, by_size=by_size) for part in worth)
    shown = (
        f"{os.fsdecode(part.path)} ({_size(part.amount) if by_size else part.amount})"
        for part in named
    )
    return f"name what jobs do not need in .risemlignore. The most of it: {', '.join(shown)}"


def _parts(folder: Folder, totals: dict[bytes, int], *, by_size: bool) -> list[_Part]:
    files = [
        _Part(key[SIZE] if by_size else 1, folder.path + name, None)
        for name, (key, _) in folder.files.items()
    ]
    return files + [
        _Part(totals[child.path], child.path, child)
        for child in folder.folders.values()
    ]


def _narrowed(part: _Part, totals: dict[bytes, int], *, by_size: bool) -> _Part:
    while part.folder:
        inner = max(
            _parts(part.folder, totals, by_size=by_size),
            default=part,
            key=lambda inner: inner.amount,
        )
        if inner is part or inner.amount < _MOST * part.amount:
            break
        part = inner
    return part


def _size(count: int) -> str:
    return f"{count / (1 << 20):.1f} MB"
