"""Copying files from one volume to another, so that it can be cut off anywhere and called again.

A file that is there already, with the same size and SHA-256, is left alone. Else its bytes go into a part beside its
place; a part that is the beginning of the file goes on. Only a part whose SHA-256 is the file's gets its name.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from riseml.errors import RiseMLError
from riseml.storage.volume import WHOLE, Entry, Piece, Volume, Written, part_of

_FILES, _BYTES = (
    500,
    1 << 28,
)  # of one batch, after which what it has copied is finished


class Item(NamedTuple):
    """A file of the source, and where it goes; `name` says both to people."""

    source: Entry
    target: str
    name: str = ""


@dataclass
class CopyReport:
    """What became of a copy so far.

    `begin` hears how many bytes there are, `on_file` of each file, `on_bytes` of bytes that are there by now.
    """

    begin: Callable[[int], None] = lambda _: None
    on_file: Callable[[Item], None] = lambda _: None
    on_bytes: Callable[[int], None] = lambda _: None
    files: int = 0
    bytes: int = 0
    unchanged: list[Item] = field(default_factory=list)
    began: bool = False


def copy(
    source: Volume, target: Volume, items: Sequence[Item], report: CopyReport
) -> None:
    """Copy files; `report` counts while it goes on.

    Raises:
        RiseMLError: a file changed meanwhile, or could not be read or written; what was copied so far is kept.
    """
    report.began = True
    for batch in _batches(items):
        missing = _missing(source, target, batch, report)
        begun = _begun(source, target, missing)
        for item in begun:
            report.on_file(item)
            start = begun[item]
            report.on_bytes(start)
            data = source.read(
                [Piece(item.source.path, start, item.source.size - start)]
            )
            target.append(item.target, item.source.size - start, _counted(data, report))
        fresh = [item for item in missing if item not in begun]
        if fresh:
            pieces = [Piece(item.source.path, 0, item.source.size) for item in fresh]
            named = _named(_counted(source.read(pieces), report), fresh, report)
            target.write(
                [item.source._replace(path=item.target) for item in fresh], named
            )
        _finish(source, target, missing, report)


def _batches(items: Sequence[Item]) -> Iterator[list[Item]]:
    batch, size = list[Item](), 0
    for item in items:
        if batch and (len(batch) >= _FILES or size + item.source.size > _BYTES):
            yield batch
            batch, size = [], 0
        batch.append(item)
        size += item.source.size
    if batch:
        yield batch


def _missing(
    source: Volume, target: Volume, items: Sequence[Item], report: CopyReport
) -> list[Item]:
    """Return the items that are not there yet, byte for byte."""
    there = target.stat([item.target for item in items])
    alike = [
        item
        for item, entry in zip(items, there, strict=True)
        if entry and not entry.is_folder and entry.size == item.source.size
    ]
    ours = source.digests([(item.source.path, WHOLE) for item in alike])
    theirs = target.digests([(item.target, WHOLE) for item in alike])
    kept = {
        item
        for item, our, their in zip(alike, ours, theirs, strict=True)
        if our == their
    }
    for item in kept:
        report.on_bytes(item.source.size)
    report.unchanged += [item for item in items if item in kept]
    return [item for item in items if item not in kept]


def _begun(source: Volume, target: Volume, items: Sequence[Item]) -> dict[Item, int]:
    """Return the items of which a part is there that is their beginning, and its length."""
    parts = target.stat([part_of(item.target) for item in items])
    found = {
        item: part
        for item, part in zip(items, parts, strict=True)
        if part and not part.is_folder and 0 < part.size <= item.source.size
    }
    ours = source.digests(
        [(item.source.path, part.size) for item, part in found.items()]
    )
    theirs = target.digests([(part.path, WHOLE) for part in found.values()])
    same = [our == their for our, their in zip(ours, theirs, strict=True)]
    return {
        item: part.size
        for (item, part), is_same in zip(found.items(), same, strict=True)
        if is_same
    }


def _finish(
    source: Volume, target: Volume, items: Sequence[Item], report: CopyReport
) -> None:
    digests = source.digests([(item.source.path, WHOLE) for item in items])
    done = target.finish(
        [
            Written(item.target, digest, item.source.modified, item.source.mode)
            for item, digest in zip(items, digests, strict=True)
        ]
    )
    for item, whole in zip(items, done, strict=True):
        if whole:
            report.files += 1
            report.bytes += item.source.size
    if changed := [
        item.source.path for item, whole in zip(items, done, strict=True) if not whole
    ]:
        names = ", ".join(changed[:3]) + (
            f" and {len(changed) - 3} more" if len(changed) > 3 else ""  # noqa: PLR2004
        )
        raise RiseMLError(
            f"{names} changed while it was copied",
            "Copy again: what is there already is left alone.",
        )


def _counted(data: Iterator[bytes], report: CopyReport) -> Iterator[bytes]:
    for piece in data:
        report.on_bytes(len(piece))
        yield piece


def _named(
    data: Iterator[bytes], items: Sequence[Item], report: CopyReport
) -> Iterator[bytes]:
    """Tell of each file when its first byte comes, or its turn where it has none."""
    files, left = iter(items), 0
    for piece in data:
        passed = len(piece)
        while passed:
            if not left:
                left = _next(files, report)
            taken = min(passed, left)
            passed, left = passed - taken, left - taken
        yield piece
    for item in files:
        report.on_file(item)


def _next(files: Iterator[Item], report: CopyReport) -> int:
    """Return the size of the next file that has one."""
    for item in files:
        report.on_file(item)
        if item.source.size:
            return item.source.size
    raise RiseMLError("more came than was asked for")
