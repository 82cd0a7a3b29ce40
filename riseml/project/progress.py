"""Progress of a snapshot and of a checkout, for whoever listens.

    with listening(bar):         the command line
        snapshot(…)              walk, content and restore call `begin` and `advance`

Most callers do not listen, and the engines between both ends need not know about it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal, Protocol

Step = Literal["scan", "store", "write", "check out", "push"]
"""Steps count files, except that `store` counts bytes, `push` counts percent, and `write` counts nothing."""


class Listener(Protocol):
    """Something that shows how far a step has come."""

    def begin(self, step: Step, total: int) -> None:
        """A step begins; its total is 0 if it is not known."""

    def advance(self, amount: int) -> None:
        """So much more is done; this is called very often."""


class _Nobody:
    def begin(self, step: Step, total: int) -> None:
        """Do nothing."""

    def advance(self, amount: int) -> None:
        """Do nothing."""


_NOBODY = _Nobody()
_listener: ContextVar[Listener] = ContextVar("_listener", default=_NOBODY)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Let a listener know about the steps of this thread while the block runs."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def begin(step: Step, total: int = 0) -> None:
    """Begin a step."""
    _listener.get().begin(step, total)


def advance(amount: int) -> None:
    """Note that so much more of the step is done."""
    _listener.get().advance(amount)


def is_heard() -> bool:
    """Return whether anybody listens."""
    return _listener.get() is not _NOBODY
