"""Launches that fail for want of something that the machine may have later.

Pods that cannot start return to the queue. Attempts become rarer, and once none has
succeeded for a while, the waiting pods say why.
"""

import time

PATIENCE_SECONDS = 30.0
"""Time of failing launches after which the waiting pods show the reason."""

_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 2.0
_PAUSE_OF_IMPATIENT_SECONDS = 10.0


class Launches:
    """Outcome of the last launches of a home.

    `reason` explains why pods have to wait; it is empty before `PATIENCE_SECONDS`.
    """

    def __init__(self) -> None:
        self.reason = ""
        self._failing_since: float | None = None
        self._pause_seconds = _FIRST_PAUSE_SECONDS
        self._paused_until = 0.0

    @property
    def are_paused(self) -> bool:
        """Whether the next attempt has to wait."""
        return time.monotonic() < self._paused_until

    @property
    def are_failing(self) -> bool:
        """Whether the last launch has failed."""
        return self._failing_since is not None

    def fail(self, reason: str) -> float:
        """Record a launch that failed; return the seconds until the next attempt."""
        now = time.monotonic()
        if self._failing_since is None:
            self._failing_since = now
        pause = self._pause_seconds
        self._pause_seconds = min(2 * pause, _LONGEST_PAUSE_SECONDS)
        if now - self._failing_since >= PATIENCE_SECONDS:
            self.reason = f"NotLaunched: {reason}"
            pause = _PAUSE_OF_IMPATIENT_SECONDS
        self._paused_until = now + pause
        return pause

    def succeed(self) -> None:
        """Record a launch that succeeded."""
        self.reason = ""
        self._failing_since = None
        self._pause_seconds = _FIRST_PAUSE_SECONDS
