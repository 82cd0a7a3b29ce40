"""Terminal of this process while a command elsewhere uses it: raw mode, size, signals."""

import os
import re
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from types import FrameType

from riseml.engines.access import Command, Streams

try:
    import termios
    import tty
except ImportError:
    # This system has other terminals, and no jobs.
    pass

_DEFAULT_SIZE = os.terminal_size((80, 24))

Handler = Callable[[int, FrameType | None], None]


def is_terminal(streams: Streams) -> bool:
    """Return whether input and output are terminals, so that a command gets one, too."""
    return os.isatty(streams.stdin) and os.isatty(streams.stdout)


def is_wanted(command: Command) -> bool:
    """Return whether a command gets a terminal."""
    return is_terminal(command.streams) if command.tty is None else command.tty


def kind() -> str:
    """Return the kind of the user's terminal, a word such as `xterm`; empty if unknown."""
    term = os.environ.get("TERM", "")
    return term if re.fullmatch(r"[A-Za-z0-9+._-]+", term) else ""


def size(streams: Streams) -> os.terminal_size:
    """Return the columns and lines of the terminal behind the streams, 80 by 24 without one."""
    for descriptor in streams.all:
        with suppress(OSError):
            return os.get_terminal_size(descriptor)
    return _DEFAULT_SIZE


def can_be_shared(streams: Streams) -> bool:
    """Return whether a command can use the terminal of this process as its own.

    The keys of another terminal would send no signals to it.
    """
    return is_terminal(streams) and _foreground(streams.stdin) == os.getpgrp()


@contextmanager
def raw_input(streams: Streams) -> Iterator[None]:
    """Pass every key on as it is, also Ctrl-C, as long as the context lasts."""
    with _restored(streams.stdin):
        if os.isatty(streams.stdin):
            tty.setraw(streams.stdin, termios.TCSADRAIN)
        yield


@contextmanager
def shared(streams: Streams) -> Iterator[None]:
    """Lend the terminal to a command, and take it back, even if the command was killed."""
    descriptor = streams.stdin
    is_foreground = os.isatty(descriptor) and _foreground(descriptor) == os.getpgrp()
    with _restored(descriptor):
        try:
            yield
        finally:
            if is_foreground and _foreground(descriptor) != os.getpgrp():
                _take_back(descriptor)


def is_in_foreground() -> bool:
    """Return whether a terminal sends the signals of its keys to this process."""
    try:
        descriptor = os.open("/dev/tty", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return _foreground(descriptor) == os.getpgrp()
    finally:
        os.close(descriptor)


@contextmanager
def handlers(by_signal: Mapping[int, Handler]) -> Iterator[None]:
    """Handle signals as long as the context lasts; only the main thread can."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous: dict[int, signal._HANDLER] = {}
    for number, handler in by_signal.items():
        # What `nohup` ignores stays ignored.
        current = signal.getsignal(number)
        if current != signal.SIG_IGN:
            previous[number] = current
            signal.signal(number, handler)
    try:
        yield
    finally:
        for number, earlier in previous.items():
            signal.signal(number, earlier)


@contextmanager
def _restored(descriptor: int) -> Iterator[None]:
    """Restore the modes of a terminal at the end; do nothing for other descriptors."""
    if not os.isatty(descriptor):
        yield
        return
    modes = termios.tcgetattr(descriptor)
    try:
        yield
    finally:
        # The terminal may have been closed.
        with suppress(termios.error), _without_stop():
            termios.tcsetattr(descriptor, termios.TCSADRAIN, modes)


def _take_back(descriptor: int) -> None:
    with suppress(OSError), _without_stop():
        os.tcsetpgrp(descriptor, os.getpgrp())


@contextmanager
def _without_stop() -> Iterator[None]:
    """Let this process change a terminal of which it is not the foreground."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTTOU])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTTOU])


def _foreground(descriptor: int) -> int:
    """Return the process group in the foreground of a terminal, 0 if it is not ours."""
    with suppress(OSError):
        return os.tcgetpgrp(descriptor)
    return 0
