"""Settings of every test: one Hypothesis profile, and signals at their defaults."""

import os
import signal
from collections.abc import Iterator
from datetime import timedelta
from types import FrameType

import pytest
from hypothesis import settings

from riseml import corrected_time

# On a busy machine, how long an example takes says nothing about the code.
settings.register_profile("riseml", deadline=None)
settings.load_profile("riseml")

# Containers of the machine are for the tests that are about them.
os.environ["RISEML_RUNNER"] = "process"

# Python itself ignores these two, and restores them in the processes that it starts.
_IGNORED_BY_PYTHON = {signal.SIGPIPE, getattr(signal, "SIGXFSZ", signal.SIGPIPE)}


@pytest.fixture(autouse=True)
def _corrected_time() -> Iterator[None]:
    """Forget after a test by how much the clock of its cluster differed."""
    yield
    corrected_time._Correction.lag = timedelta(0)


@pytest.fixture(scope="session", autouse=True)
def _caught_signals() -> Iterator[None]:
    """Catch the signals that the caller of pytest ignores.

    Under `nohup`, or as a background job of a shell, a process starts with ignored
    signals, and so does every process below it. An exec resets a signal to its default
    only if it is caught. The handlers do nothing: a test run under `nohup` must survive
    a hangup.
    """
    ignored = []
    for number in signal.valid_signals() - _IGNORED_BY_PYTHON:
        if signal.getsignal(number) is signal.SIG_IGN:
            ignored.append(number)
            signal.signal(number, _handler(number))
    yield
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)


def _handler(number: int) -> "signal._HANDLER":
    # Tests of Ctrl-C need the handler that Python usually installs.
    return signal.default_int_handler if number == signal.SIGINT else _do_nothing


def _do_nothing(_number: int, _frame: FrameType | None) -> None:
    """Do nothing."""
