"""Names and sizes of what ignore files leave out of a snapshot, the largest first.

    Tree.excluded ──without well-known junk──▶ groups ──sizes──▶ Excluded

A folder that is left out may be huge or on a slow disk, so it is measured only as far as
a fixed number of entries and a short time allow, and never beyond its file system.
"""

import os
import stat
import time
from collections.abc import Iterable, Iterator

from riseml.project import Exclusion, ignore, walk

# Nobody misses these in a job.
_JUNK = frozenset(
    b".DS_Store .cache .direnv .eggs .git .hg .idea .ipynb_checkpoints .mypy_cache"
    b" .nox .pytest_cache .riseml .ruff_cache .svn .tox .venv .vscode Thumbs.db"
    b" __pycache__ node_modules venv".split()
)
_JUNK_ENDINGS = (b".pyc", b".pyo", b".swp", b"~", b".egg-info")
# More entries of one folder with the same ending are named by one pattern.
_MAX_SIBLINGS = 3
# Measuring this many entries takes about 10 ms.
_MAX_ENTRIES = 4000
_MAX_SECONDS = 0.05
# Looking at the clock takes as long as looking at a file.
_ENTRIES_PER_CHECK = 64
_MAX_NAMED = 50
_MAX_NAMED_BYTES = 4000

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
    size = 0
    for number, exclusion in enumerate(exclusions):
        size += len(os.fsencode(exclusion.path))
        if number == _MAX_NAMED or size > _MAX_NAMED_BYTES:
            break
        # A document is text, so other bytes of a name are replaced.
        path = os.fsencode(exclusion.path).decode("utf-8", "replace")
        paths[exclusion.source] = (*paths.get(exclusion.source, ()), path)
    return paths


def _groups(excluded: Iterable[walk.Excluded]) -> Iterator[tuple[bytes, _Group]]:
    """Yield paths or patterns, each with the entries that it stands for."""
    siblings: dict[tuple[bytes, bytes, ignore.Excluder], _Group] = {}
    for entry in excluded:
        path, status, excluder = entry
        folder, _, name = path.rpartition(b"/")
        if name in _JUNK or name.endswith(_JUNK_ENDINGS):
            continue
        ending = b"/" if stat.S_ISDIR(status.st_mode) else os.path.splitext(name)[1]
        siblings.setdefault((folder, ending, excluder), []).append(entry)
    for (folder, ending, _), group in siblings.items():
        if len(group) > _MAX_SIBLINGS:
            yield os.path.join(folder, b"*" + ending), group
            continue
        for entry in group:
            slash = b"/" if ending == b"/" else b""
            yield entry[0] + slash, [entry]


def _measured(top: bytes, path: bytes, group: _Group, budget: "_Budget") -> Exclusion:
    size = 0
    is_complete = True
    is_known = False
    for entry_path, status, _ in group:
        if not stat.S_ISDIR(status.st_mode):
            size += status.st_size
            is_known = True
            continue
        folder_size, folder_complete = budget.measure(top + entry_path, status.st_dev)
        size += folder_size
        is_complete = is_complete and folder_complete
    source = os.fsdecode(group[0][2].name)
    is_known = is_known or size > 0 or is_complete
    return Exclusion(os.fsdecode(path), source, size if is_known else None, is_complete)


class _Budget:
    """Entries and time that are left for measuring folders."""

    def __init__(self) -> None:
        self._entries = _MAX_ENTRIES
        self._deadline = time.monotonic() + _MAX_SECONDS

    def measure(self, folder: bytes, device: int) -> tuple[int, bool]:
        """Return the bytes below a folder, and whether all of it was measured."""
        size = 0
        folders = [folder]
        is_complete = True
        while folders:
            path = folders.pop()
            try:
                with os.scandir(path) as entries:
                    for entry in entries:
                        if not self._take():
                            return size, False
                        status = entry.stat(follow_symlinks=False)
                        if not stat.S_ISDIR(status.st_mode):
                            size += status.st_size
                        elif status.st_dev == device:
                            folders.append(entry.path)
                        else:
                            # A network disk may need seconds for each folder.
                            is_complete = False
            except OSError:
                is_complete = False
        return size, is_complete

    def _take(self) -> bool:
        """Count one entry; return False if no entries or no time are left."""
        self._entries -= 1
        if self._entries % _ENTRIES_PER_CHECK == 0:
            if time.monotonic() > self._deadline:
                self._entries = 0
        return self._entries > 0
