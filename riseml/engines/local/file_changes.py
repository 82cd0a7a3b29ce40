"""Waiting for changes of files: the system reports them, so a command that follows a quiet job sleeps.

    files and folders ──inotify──▶ FileChanges.wait ──▶ the caller looks for what is new

A report may come before the writer is done, and some file systems report nothing. So a
wait also ends after some time. Where the system cannot report changes, it only pauses.
"""

import os
import select
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

# Time between two looks while changes follow each other.
_PAUSE_SECONDS = 0.03
# A job that starts, or ends soon, needs no reports, whose first one costs 6 ms.
_EAGER_SECONDS, _EAGER_PAUSE_SECONDS = 0.25, 0.005
_SHORTEST_PAUSE_SECONDS = 0.001
# What a writer had not done when its change was reported is mostly done by then. A commit
# may have to wait longer for the disk, so the next looks follow after twice the time each.
_SECOND_LOOK_SECONDS = 0.05
_QUIET_SECONDS = 1.0
_MAX_FOLDERS = 512
_EVENTS_BYTES = 1 << 16
_IN_MODIFY, _IN_MOVED_TO, _IN_CREATE = 0x2, 0x80, 0x100


class FileChanges:
    """Changes of some files; `close` it, or iterate `until_closed`."""

    def __init__(self, files: Sequence[Path]) -> None:
        self._paths = dict.fromkeys(files)
        self._begun = time.monotonic()
        # None before the first report is needed, and where there are none.
        self._inotify: _Inotify | None = None
        self._can_report = True
        self._pause = _SHORTEST_PAUSE_SECONDS
        self._longest = _SECOND_LOOK_SECONDS

    def watch(self, folder: Path) -> None:
        """Wait for changes of the files in a folder, too."""
        if folder in self._paths:
            return
        self._paths[folder] = None
        if len(self._paths) > _MAX_FOLDERS:
            self._stop_reports()
        elif self._inotify is not None:
            self._add(self._inotify, folder)

    def hurry(self, seconds: float) -> None:
        """Let the next wait last no longer than this."""
        self._longest = min(self._longest, seconds)

    def wait(self) -> None:
        """Return soon after a change, or after a while without one."""
        if time.monotonic() - self._begun < _EAGER_SECONDS:
            time.sleep(_EAGER_PAUSE_SECONDS)
            return
        inotify = self._open()
        if inotify is None:
            time.sleep(_PAUSE_SECONDS)
        elif inotify.is_ready(self._longest):
            # Longer from one to the next of changes that follow each other.
            time.sleep(self._pause)
            self._pause = min(2 * self._pause, _PAUSE_SECONDS)
            self._longest = _SECOND_LOOK_SECONDS
            inotify.drain()
        else:
            self._pause = _SHORTEST_PAUSE_SECONDS
            longer = max(2 * self._longest, _SECOND_LOOK_SECONDS)
            self._longest = min(longer, _QUIET_SECONDS)
            # A file may be another one by now.
            self._add_all(inotify)

    def until_closed(self, items: Iterator[T]) -> Iterator[T]:
        """Yield items that wait for changes, and close at their end."""
        try:
            yield from items
        finally:
            self.close()

    def close(self) -> None:
        """Stop waiting for reports."""
        if self._inotify is not None:
            self._inotify.close()
            self._inotify = None

    def _open(self) -> "_Inotify | None":
        if self._inotify is not None or not self._can_report:
            return self._inotify
        try:
            self._inotify = _Inotify()
        except (OSError, AttributeError):
            self._can_report = False
            return None
        self._add_all(self._inotify)
        return self._inotify

    def _add_all(self, inotify: "_Inotify") -> None:
        for path in self._paths:
            self._add(inotify, path)

    def _add(self, inotify: "_Inotify", path: Path) -> None:
        try:
            inotify.add(os.fsencode(path))
        except FileNotFoundError:
            # It is added once it exists.
            return
        except OSError:
            # The user watches too many files.
            self._stop_reports()

    def _stop_reports(self) -> None:
        self._can_report = False
        self.close()


class _Inotify:
    """Reports of the system about changes of files.

    Raises:
        OSError: there are none.
        AttributeError: the system has no inotify.
    """

    def __init__(self) -> None:
        if sys.platform != "linux":
            raise OSError("no inotify")
        # Only commands that wait for long need it.
        import ctypes  # noqa: PLC0415

        library = ctypes.CDLL(None, use_errno=True)
        self._add_watch: Callable[[int, bytes, int], int] = library.inotify_add_watch
        self._errno = ctypes.get_errno
        self._descriptor = library.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
        if self._descriptor < 0:
            raise OSError(self._errno(), "inotify_init1")
        self._poll = select.poll()
        self._poll.register(self._descriptor, select.POLLIN)

    def add(self, path: bytes) -> None:
        """Report changes of a file, or of the files in a folder; it may be added again.

        Raises:
            OSError: it does not exist, or there are too many.
        """
        mask = _IN_MODIFY | _IN_CREATE | _IN_MOVED_TO
        if self._add_watch(self._descriptor, path, mask) < 0:
            code = self._errno()
            raise OSError(code, os.strerror(code), os.fsdecode(path))

    def is_ready(self, seconds: float) -> bool:
        """Wait for a report, at most some seconds; return whether there is one."""
        return bool(self._poll.poll(seconds * 1000))

    def drain(self) -> None:
        """Discard the reports so far."""
        os.read(self._descriptor, _EVENTS_BYTES)

    def close(self) -> None:
        """Stop reports."""
        os.close(self._descriptor)
