"""Survey of who uses the GPUs of a machine, made in a thread.

A card that hangs lets its driver hang as well, and the controller must go on.
"""

import os
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from riseml.engines.local import own_jobs
from riseml.engines.local.controller.log import logger
from riseml.engines.local.controller.loop import EventLoop
from riseml.gpus import Gpu

if TYPE_CHECKING:
    from riseml.gpus.holders import Holder

# How old an answer may be
_VALID_SECONDS = 1.0
# A driver that takes longer has probably failed.
_LATE_SECONDS = 15.0

Ask = Callable[[Sequence[Gpu], Collection[str]], Mapping[str, "Holder"]]
"""Returns the holder of each of some GPUs that others use, by its id.

The second argument are the ids of those that jobs have.
"""


class GpuSurvey:
    """The programs of others on the GPUs: `holders` is the last answer of the drivers."""

    def __init__(self, ask: Ask, loop: EventLoop) -> None:
        self.holders: Mapping[str, Holder] = {}
        self._ask, self._loop = ask, loop
        self._thread: threading.Thread | None = None
        self._answer: Mapping[str, Holder] = {}
        self._begun = self._changed = 0.0
        self._answered = -_VALID_SECONDS
        self._receiver, self._sender = os.pipe()
        os.set_blocking(self._receiver, False)
        loop.on_readable(self._receiver, self._receive)

    @property
    def is_current(self) -> bool:
        """Whether the answer is recent, and newer than all changes."""
        age = time.monotonic() - self._answered
        return age <= _VALID_SECONDS and self._answered >= self._changed

    @property
    def is_asking(self) -> bool:
        """Whether an answer probably comes soon."""
        return self._thread is not None and not self.is_late

    @property
    def is_late(self) -> bool:
        """Whether the drivers do not answer."""
        waited = time.monotonic() - self._begun
        return self._thread is not None and waited > _LATE_SECONDS

    def invalidate(self) -> None:
        """Note that a job has released a GPU."""
        self._changed = time.monotonic()

    def refresh(self, gpus: Sequence[Gpu], assigned: Collection[str]) -> None:
        """Ask the drivers unless they were asked just now; the answer wakes the loop.

        `assigned` are the ids of the GPUs that jobs have.
        """
        if self._thread is None and not self.is_current:
            self._begun = time.monotonic()
            arguments = (tuple(gpus), frozenset(assigned))
            # The controller does not wait for a thread that never ends.
            self._thread = threading.Thread(
                target=self._work, args=arguments, daemon=True
            )
            self._thread.start()

    def _work(self, gpus: Sequence[Gpu], assigned: Collection[str]) -> None:
        try:
            self._answer = self._ask(gpus, assigned)
        except Exception:  # noqa: BLE001
            # Without an answer jobs start, as they do on machines without a driver.
            logger.exception("the use of the GPUs is unknown")
            self._answer = {}
        os.write(self._sender, b".")

    def _receive(self) -> None:
        os.read(self._receiver, 1 << 10)
        if self._answer.keys() != self.holders.keys():
            users = "; ".join(map(str, self._answer.values()))
            logger.info("GPUs that others use: %s", users or "none")
        self.holders = self._answer
        self._answered = self._begun
        self._thread = None
        if self.holders:
            # Pods that still wait let it ask again.
            self._loop.wake_after(_VALID_SECONDS)


def ask_drivers(identity: str) -> Ask:
    """Return what asks the drivers of GPUs; `identity` marks the jobs of a home."""

    def is_own(pid: int) -> bool:
        return own_jobs.is_job(pid, identity)

    def ask(gpus: Sequence[Gpu], assigned: Collection[str]) -> "Mapping[str, Holder]":
        # A thread loads it, and only where a job requests GPUs.
        from riseml.gpus.holders import Survey  # noqa: PLC0415

        path = os.environ.get("PATH", "")
        return Survey(gpus, is_own, assigned, path).holders()

    return ask
