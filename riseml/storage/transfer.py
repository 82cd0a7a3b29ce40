"""Copy of files from one volume to another, which may be interrupted and repeated at any time.

A file that exists already, with the same size and SHA-256, is skipped. The bytes of others
go into a partial file in the target's folder. A partial file with which the source begins is
continued. A partial file gets its final name only if its SHA-256 is that of the source.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from riseml.dataclass import dataclass, field
from riseml.errors import RiseMLError
from riseml.excerpts import counted
from riseml.storage.volume import (
    WHOLE_FILE,
    Entry,
    Piece,
    ReadableVolume,
    Volume,
    Written,
    partial_path,
)

# A batch is finished before the next one starts. So an interruption costs at most one batch.
_BATCH_FILES = 500
_BATCH_BYTES = 1 << 28
_MAX_NAMES = 3


class Item(NamedTuple):
    """A file of the source, and its path in the target.

    `name` shows both to the user.
    """

    source: Entry
    target: str
    name: str = ""


_Pairs = list[tuple[Item, Entry]]
"""Files of the source, each with a file of the target."""


@dataclass
class CopyReport:
    """Progress and result of a copy.

    `begin` is called with the total number of bytes, `on_file` with each file, `on_bytes`
    with a number of further bytes that exist in the target.
    """

    begin: Callable[[int], None] = lambda _: None
    on_file: Callable[[Item], None] = lambda _: None
    on_bytes: Callable[[int], None] = lambda _: None
    files: int = 0
    bytes: int = 0
    unchanged: list[Item] = field(default_factory=list)
    began: bool = False


def copy(
    source: ReadableVolume, target: Volume, items: Sequence[Item], report: CopyReport
) -> None:
    """Copy files and update `report` while doing so.

    Raises:
        RiseMLError: a file changed meanwhile, or could not be read or written. Complete
            files and partial files are kept.
    """
    report.began = True
    for batch in _batches(items):
        missing = _missing(source, target, batch, report)
        partials = _partial_files(source, target, missing)
        for item, partial in partials.items():
            _continue(source, target, item, partial.size, report)
        new = [item for item in missing if item not in partials]
        if new:
            _write(source, target, new, report)
        _finish(source, target, missing, report)


def _batches(items: Sequence[Item]) -> Iterator[list[Item]]:
    batch: list[Item] = []
    size = 0
    for item in items:
        is_full = len(batch) >= _BATCH_FILES or size + item.source.size > _BATCH_BYTES
        if batch and is_full:
            yield batch
            batch, size = [], 0
        batch.append(item)
        size += item.source.size
    if batch:
        yield batch


def _missing(
    source: ReadableVolume, target: Volume, items: Sequence[Item], report: CopyReport
) -> list[Item]:
    """Return the items that the target does not have yet, byte for byte."""
    candidates = _Pairs()
    for item, entry in _existing(target, items):
        # Digests need all bytes of a file, so only files of the right size get one.
        if entry.size == item.source.size:
            candidates.append((item, entry))
    unchanged = _with_equal_bytes(source, target, candidates)
    missing = []
    for item in items:
        if item in unchanged:
            report.on_bytes(item.source.size)
            report.unchanged.append(item)
        else:
            missing.append(item)
    return missing


def _partial_files(
    source: ReadableVolume, target: Volume, items: Sequence[Item]
) -> dict[Item, Entry]:
    """Return the items of which the target has a partial file that can be continued."""
    candidates = _Pairs()
    for item, partial in _existing(target, items, partial_path):
        # An empty partial file is as good as none.
        if 0 < partial.size <= item.source.size:
            candidates.append((item, partial))
    return _with_equal_bytes(source, target, candidates)


def _existing(
    target: Volume, items: Sequence[Item], locate: Callable[[str], str] = str
) -> Iterator[tuple[Item, Entry]]:
    """Yield the items with a file where `locate` puts their path in the target."""
    paths = [locate(item.target) for item in items]
    for item, entry in zip(items, target.stat(paths), strict=True):
        if entry and not entry.is_folder:
            yield item, entry


def _with_equal_bytes(
    source: ReadableVolume, target: Volume, candidates: _Pairs
) -> dict[Item, Entry]:
    """Return the items whose source begins with all bytes of the target's file."""
    beginnings, files = [], []
    for item, entry in candidates:
        beginnings.append((item.source.path, entry.size))
        files.append((entry.path, WHOLE_FILE))
    digests = zip(source.digests(beginnings), target.digests(files), strict=True)
    equal = {}
    for (item, entry), (expected, digest) in zip(candidates, digests, strict=True):
        if digest == expected:
            equal[item] = entry
    return equal


def _continue(
    source: ReadableVolume, target: Volume, item: Item, start: int, report: CopyReport
) -> None:
    """Append to a partial file what follows its first `start` bytes."""
    # Bytes that exist already count, so that a bar starts where the last copy stopped.
    report.on_file(item)
    report.on_bytes(start)
    remaining = item.source.size - start
    data = source.read([Piece(item.source.path, start, remaining)])
    target.append(item.target, remaining, _counted(data, report))


def _write(
    source: ReadableVolume, target: Volume, items: Sequence[Item], report: CopyReport
) -> None:
    """Write partial files from the beginning."""
    pieces, entries = [], []
    for item in items:
        pieces.append(Piece(item.source.path, 0, item.source.size))
        entries.append(item.source._replace(path=item.target))
    data = _counted(source.read(pieces), report)
    target.write(entries, _announced(data, items, report))


def _finish(
    source: ReadableVolume, target: Volume, items: Sequence[Item], report: CopyReport
) -> None:
    # The source is read once more: it may have changed since its bytes were copied.
    digests = source.digests([(item.source.path, WHOLE_FILE) for item in items])
    files = []
    for item, digest in zip(items, digests, strict=True):
        entry = item.source
        files.append(Written(item.target, digest, entry.modified, entry.mode))
    changed = []
    for item, is_complete in zip(items, target.finish(files), strict=True):
        if is_complete:
            report.files += 1
            report.bytes += item.source.size
        else:
            changed.append(item.source.path)
    # The error comes last, so that the complete files have their names already.
    if changed:
        raise RiseMLError(
            f"{counted(changed, _MAX_NAMES)} changed during the copy",
            "Copy again: files that are complete are skipped.",
        )


def _counted(data: Iterator[bytes], report: CopyReport) -> Iterator[bytes]:
    for piece in data:
        report.on_bytes(len(piece))
        yield piece


def _announced(
    data: Iterator[bytes], items: Sequence[Item], report: CopyReport
) -> Iterator[bytes]:
    """Report each file when its first byte passes, or in its turn if it is empty."""
    files = iter(items)
    remaining = 0
    for piece in data:
        # A piece may end one file, hold several small ones and begin another.
        passed = 0
        while passed < len(piece):
            if not remaining:
                remaining = _announce_next(files, report)
            step = min(len(piece) - passed, remaining)
            passed += step
            remaining -= step
        yield piece
    for item in files:
        report.on_file(item)


def _announce_next(files: Iterator[Item], report: CopyReport) -> int:
    """Report files up to the next one that is not empty; return its size."""
    for item in files:
        report.on_file(item)
        if item.source.size:
            return item.source.size
    raise RiseMLError("the source returned more bytes than requested")
