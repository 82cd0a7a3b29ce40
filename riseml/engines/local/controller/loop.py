"""Event loop of the controller: waits for sockets, ended processes and timers.

A failing action is logged and never ends the loop, because other runs depend on it.
"""

import heapq
import itertools
import selectors
import subprocess
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from riseml.engines.local.controller.log import logger

Action = Callable[[], None]

# Between checks of a process if the system has no pidfd to report its end.
_POLL_SECONDS = 0.1
# An action that fails again immediately must not keep the machine busy.
_FAILURE_PAUSE_SECONDS = 0.1
# A process for the folder of each job would cost as much as the removal itself: together
# with that, 1.6 ms of CPU time for each job instead of 0.7 ms.
_REMOVAL_SECONDS = 0.5
# Links are not followed. Files keep their modes, since other checkouts may have them as well.
# What cannot be removed even so is left to the next controller.
_OPEN_AND_REMOVE = r"""
find "$@" -type d ! -perm -700 -exec chmod u+rwx {} \;
rm -rf -- "$@" || true
"""


class EventLoop:
    """Calls actions when a file descriptor becomes readable or a time has come."""

    def __init__(self) -> None:
        self.selector = selectors.DefaultSelector()
        self._timers: list[tuple[float, int, Action]] = []
        # Orders timers of the same time, since functions cannot be compared.
        self._order = itertools.count()

    def after(self, seconds: float, action: Action) -> None:
        """Call an action once, after some seconds."""
        due = time.monotonic() + seconds
        heapq.heappush(self._timers, (due, next(self._order), action))

    def wake_after(self, seconds: float) -> None:
        """End a wait for events after some seconds: then the controller settles again."""
        self.after(seconds, lambda: None)

    def poll(self, is_alive: Callable[[], bool], when_gone: Action) -> None:
        """Call an action once a process is gone that has no pidfd.

        It may be gone already, or the system has none.
        """

        def check() -> None:
            if is_alive():
                self.after(_POLL_SECONDS, check)
            else:
                when_gone()

        self.after(0.0, check)

    def on_readable(self, descriptor: int, action: Action) -> None:
        """Call an action whenever a file descriptor is readable."""
        self.selector.register(descriptor, selectors.EVENT_READ, action)

    def ignore(self, descriptor: int) -> None:
        """Call no action for a file descriptor any more."""
        self.selector.unregister(descriptor)

    def run_once(self, until: float) -> None:
        """Wait for the next events, at most `until` (monotonic seconds), and act on them."""
        next_timer = self._timers[0][0] if self._timers else until
        timeout = max(0.0, min(next_timer, until) - time.monotonic())
        for key, _ in self.selector.select(timeout):
            protect(key.data)
        now = time.monotonic()
        while self._timers and self._timers[0][0] <= now:
            _, _, action = heapq.heappop(self._timers)
            protect(action)


def protect(action: Action) -> None:
    """Call an action; log its failure instead of raising it."""
    try:
        action()
    except Exception:  # noqa: BLE001
        logger.exception("an action failed")
        time.sleep(_FAILURE_PAUSE_SECONDS)


class FolderRemover:
    """Removes folders in a process beside the controller, many at a time.

    The first ones are removed at once, others with those of the next half second.
    """

    def __init__(self, loop: EventLoop) -> None:
        self._loop = loop
        self._is_checking = False
        self._next_start = time.monotonic()
        self._discarded: list[str] = []
        self._batch: list[str] = []
        self._process: subprocess.Popen[bytes] | None = None

    def discard(self, folders: Iterable[Path]) -> None:
        """Remove folders that nothing needs any more, now or after others."""
        self._discarded.extend(str(folder) for folder in folders)
        # This also notes the end of a removal, or continues one that has failed.
        is_busy = self.is_busy()
        is_due = time.monotonic() >= self._next_start
        if self._discarded and is_due and not is_busy:
            self._start()
        is_unfinished = self._discarded or self._process is not None
        if is_unfinished and not self._is_checking:
            self._is_checking = True
            self._loop.after(_REMOVAL_SECONDS, self._check)

    def _check(self) -> None:
        self._is_checking = False
        self.discard(())

    def is_busy(self) -> bool:
        """Return whether a removal is going on."""
        if self._process is None:
            return False
        status = self._process.poll()
        if status is None:
            return True
        self._process = None
        if status != 0:
            self._open_closed_folders()
        return status != 0

    def close(self) -> None:
        """Begin to remove what is left; the process outlives the controller."""
        if self._discarded:
            self._start()

    def _start(self) -> None:
        self._next_start = time.monotonic() + _REMOVAL_SECONDS
        self._batch, self._discarded = self._discarded, []
        self._process = subprocess.Popen(
            ["rm", "-rf", "--", *self._batch],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def _open_closed_folders(self) -> None:
        """Remove the last batch after all, although a job has made folders unreadable."""
        self._process = subprocess.Popen(
            ["/bin/sh", "-c", _OPEN_AND_REMOVE, "sh", *self._batch],
            stdin=subprocess.DEVNULL,
        )
