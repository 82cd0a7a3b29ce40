"""Names and sizes of what ignore files leave out of a snapshot, the largest first.

    Tree.excluded ──without well-known junk──▶ groups ──sizes──▶ Excluded

A folder that is left out may be huge or on a slow disk, so it is measured only as far as
a fixed number of entries and a short time allow, and never beyond its file system.
"""

import os
import re
import stat
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice, takewhile

from riseml.project import Exclusion, ignore, walk

# Nobody misses these in a job.
_JUNK = re.compile(
    rb"__pycache__|node_modules|venv|Thumbs\.db|\.DS_Store|.*\.(?:pyc|pyo|swp|egg-info)|.*~"
    rb"|\.(?:cache|direnv|eggs|git|hg|idea|ipynb_checkpoints|mypy_cache|nox|pytest_cache"
    rb"|riseml|ruff_cache|svn|tox|venv|vscode)",
    re.DOTALL,
)
# More entries of one folder with the same ending are named by one pattern.
_MAX_SIBLINGS = 3
# Measuring this many entries takes about 5 ms.
_MAX_ENTRIES = 2000
_MAX_SECONDS = 0.03
# Looking at the clock takes as long as looking at a file.
_ENTRIES_PER_CHECK = 64
_MAX_NAMED = 50
_MAX_NAMED_BYTES = 200

_Group = list[walk.Excluded]


def describe(tree: walk.Tree) -> tuple[Exclusion, ...]:
    """Return what a walk left out, the largest first, without well-known junk."""
    if not tree.excluded:
        return ()
    budget = _Budget()
    exclusions = []
    for path, group in _groups(tree.excluded):
        exclusions.append(_measured(tree.top, path, group, budget))
    exclusions.sort(key=lambda exclusion: -(exclusion.size or 0))
    return tuple(exclusions)


def named(exclusions: Iterable[Exclusion]) -> dict[str, tuple[str, ...]]:
    """Return the paths by what excludes them, few enough to keep them with a run."""
    paths: dict[str, tuple[str, ...]] = {}
    for exclusion in islice(exclusions, _MAX_NAMED):
        # A document is text, so other bytes of a name are replaced.
        name = os.fsencode(exclusion.path)[:_MAX_NAMED_BYTES]
        earlier = paths.get(exclusion.source, ())
        paths[exclusion.source] = (*earlier, name.decode("utf-8", "replace"))
    return paths


def _groups(excluded: Iterable[walk.Excluded]) -> Iterator[tuple[bytes, _Group]]:
    """Yield paths or patterns, each with the entries that it stands for."""
    siblings: defaultdict[tuple[bytes, bytes, ignore.Excluder], _Group]
    siblings = defaultdict(list)
    for path, status, excluder in excluded:
        folder, name = os.path.split(path)
        if _JUNK.fullmatch(name):
            continue
        slash = b"/" * stat.S_ISDIR(status.st_mode)
        ending = slash or os.path.splitext(name)[1]
        siblings[folder, ending, excluder].append((path + slash, status, excluder))
    for (folder, ending, _), group in siblings.items():
        if len(group) > _MAX_SIBLINGS:
            yield os.path.join(folder, b"*" + ending), group
            continue
        for entry in group:
            yield entry[0], [entry]


def _measured(top: bytes, path: bytes, group: _Group, budget: "_Budget") -> Exclusion:
    size = 0
    is_complete = True
    for entry_path, status, _ in group:
        entry_size, entry_complete = budget.measure(top + entry_path, status)
        size += entry_size
        is_complete &= entry_complete
    source = os.fsdecode(group[0][2].name)
    known_size = size if size or is_complete else None
    return Exclusion(os.fsdecode(path), source, known_size, is_complete)


class _Budget:
    """Entries and time that are left for measuring folders."""

    def __init__(self) -> None:
        self._entries = _MAX_ENTRIES
        self._is_complete = True
        self._deadline = time.monotonic() + _MAX_SECONDS

    def measure(self, path: bytes, status: os.stat_result) -> tuple[int, bool]:
        """Return the bytes of a file or folder, and whether all of it was measured."""
        if not stat.S_ISDIR(status.st_mode):
            return status.st_size, True
        self._is_complete = True
        size = 0
        folders = [path]
        while folders:
            size += self._measure_files(folders.pop(), status.st_dev, folders)
        return size, self._is_complete

    def _measure_files(self, folder: bytes, device: int, folders: list[bytes]) -> int:
        """Return the bytes of the files of a folder; add its folders to `folders`."""
        size = 0
        is_read = False
        with suppress(OSError), os.scandir(folder) as entries:
            for entry in takewhile(self._take, entries):
                status = entry.stat(follow_symlinks=False)
                if not stat.S_ISDIR(status.st_mode):
                    size += status.st_size
                elif status.st_dev == device:
                    folders.append(entry.path)
                else:
                    # A network disk may need seconds for each folder.
                    self._is_complete = False
            is_read = self._entries > 0
        self._is_complete &= is_read
        return size

    def _take(self, _entry: object) -> bool:
        """Count an entry; return False if no entries or no time are left."""
        self._entries -= 1
        if self._entries % _ENTRIES_PER_CHECK == 0:
            if time.monotonic() > self._deadline:
                self._entries = 0
        return self._entries > 0
