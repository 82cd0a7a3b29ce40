"""Command that runs inside a job of this machine, as a child of this process.

inherited   the streams of this process as they are, its own terminal included
terminal    a new terminal, whose bytes are copied
pipes       no terminal, although this process has one
"""

import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Protocol

from riseml.engines import terminal
from riseml.engines.access import Command, Outcome, Streams, status_of
from riseml.engines.local.jobs import processes
from riseml.engines.pumps import Pump, write_all

if TYPE_CHECKING:
    import psutil

# The time that a command has between the hangup at the end of its job and KILL.
_GRACE_SECONDS = 2.0
# Where the system cannot report the end of a process.
_POLL_SECONDS = 0.05
# Processes that a command has left may keep its output open.
_DRAIN_SECONDS = 1.0
_END_OF_INPUT = b"\x04"
_KILLED = 128 + signal.SIGKILL
_KEYS = (signal.SIGINT, signal.SIGQUIT)
"""Signals that a terminal sends to all processes in its foreground."""

Child = subprocess.Popen[bytes]


class Joiner(Protocol):
    """Starter of a command in one job."""

    @property
    def job_pid(self) -> int:
        """The pid of the process whose end is that of the job."""

    def start(self, streams: Streams, *, is_leader: bool, has_terminal: bool) -> Child:
        """Start the process that becomes the command, or stands for it.

        It leads a session of its own if it is a leader, and its standard input is then
        the terminal of that session if it has one.
        """

    def send(self, child: Child, number: int) -> None:
        """Send a signal to a command that is a leader; it may have ended."""


def run(joiner: Joiner, command: Command, *, alone: bool = False) -> Outcome:
    """Run a command until it ends, or its job does.

    If it is `alone`, a signal of a key would end only the process that stands for it.
    """
    streams = command.streams
    wants_terminal = terminal.is_wanted(command)
    if wants_terminal and not terminal.can_be_shared(streams):
        return _run_in_terminal(joiner, streams)
    if not wants_terminal and any(map(os.isatty, streams.all)):
        if alone or command.tty is False:
            return _run_with_pipes(joiner, streams)
    is_leader = alone and not wants_terminal
    with terminal.shared(streams):
        child = joiner.start(streams, is_leader=is_leader, has_terminal=False)
        return _wait(joiner, child, is_leader=is_leader)


def _run_in_terminal(joiner: Joiner, streams: Streams) -> Outcome:
    master, slave = os.openpty()
    with ExitStack() as stack:
        stack.callback(os.close, master)
        _resize(master, streams)
        inner = Streams(slave, slave, slave)
        child = joiner.start(inner, is_leader=True, has_terminal=True)
        os.close(slave)
        stack.enter_context(terminal.raw_input(streams))

        def resize(_number: int, _frame: object) -> None:
            _resize(master, streams)

        stack.enter_context(terminal.handlers({signal.SIGWINCH: resize}))
        keys = Pump(
            streams.stdin, _writer(master), lambda: write_all(master, _END_OF_INPUT)
        )
        screen = Pump(master, _writer(streams.stdout))
        outcome = _wait(joiner, child, is_leader=True)
        keys.stop()
        screen.drain(_DRAIN_SECONDS)
    return outcome


def _run_with_pipes(joiner: Joiner, streams: Streams) -> Outcome:
    input_end, input_ = os.pipe()
    output, output_end = os.pipe()
    errors, errors_end = os.pipe()
    ends = Streams(input_end, output_end, errors_end)
    child = joiner.start(ends, is_leader=True, has_terminal=False)
    for descriptor in ends.all:
        os.close(descriptor)
    keys = Pump(streams.stdin, _writer(input_), lambda: os.close(input_))
    readers = {
        output: Pump(output, _writer(streams.stdout)),
        errors: Pump(errors, _writer(streams.stderr)),
    }
    outcome = _wait(joiner, child, is_leader=True)
    keys.stop()
    for descriptor, reader in readers.items():
        reader.drain(_DRAIN_SECONDS)
        os.close(descriptor)
    # The pump has closed it at the end of the input.
    with suppress(OSError):
        os.close(input_)
    return outcome


def _writer(descriptor: int) -> Callable[[bytes], None]:
    return lambda data: write_all(descriptor, data)


def _wait(joiner: Joiner, child: Child, *, is_leader: bool) -> Outcome:
    """Wait for the end of a command; end it if its job ends first."""
    is_from_key = terminal.is_in_foreground()

    def forward(number: int, _frame: object) -> None:
        if is_leader:
            joiner.send(child, number)
        elif number not in _KEYS or not is_from_key:
            # Otherwise the terminal has sent it to the command as well.
            child.send_signal(number)

    numbers = (*_KEYS, signal.SIGTERM, signal.SIGHUP)
    with terminal.handlers(dict.fromkeys(numbers, forward)):
        job_ended = _wait_for_one(child, joiner.job_pid)
        if job_ended and child.poll() is None:
            _end(child)
        status = status_of(child.wait())
        if status == _KILLED and not job_ended:
            # The end of a container kills its commands before its first process is gone.
            job_ended = _ends_soon(joiner.job_pid)
        return Outcome(status, job_ended)


def _ends_soon(pid: int) -> bool:
    """Return whether a process ends within the next moments."""
    end = time.monotonic() + _GRACE_SECONDS
    while processes.exists(pid) and time.monotonic() < end:
        time.sleep(_POLL_SECONDS)
    return not processes.exists(pid)


def _wait_for_one(child: Child, job_pid: int) -> bool:
    """Wait until a command or its job has ended; return whether it is the job."""
    descriptors = [processes.pidfd(job_pid), processes.pidfd(child.pid)]
    opened = [descriptor for descriptor in descriptors if descriptor is not None]
    # A lost descriptor means that its process ends right now, or that there are none.
    timeout = None if len(opened) == len(descriptors) else _POLL_SECONDS * 1000
    ends = select.poll()
    for descriptor in opened:
        ends.register(descriptor, select.POLLIN)
    try:
        while child.poll() is None and processes.exists(job_pid):
            ends.poll(timeout)
        return not processes.exists(job_pid)
    finally:
        for descriptor in opened:
            os.close(descriptor)


def _end(child: Child) -> None:
    """End a command and what it has started, first as a terminal that is closed does."""
    import psutil  # noqa: PLC0415

    family = []
    with suppress(psutil.Error):
        process = psutil.Process(child.pid)
        family = [process, *process.children(recursive=True)]
    for number in (signal.SIGHUP, signal.SIGCONT):
        _signal(family, number)
    end = time.monotonic() + _GRACE_SECONDS
    while child.poll() is None and time.monotonic() < end:
        time.sleep(_POLL_SECONDS)
    _signal(family, signal.SIGKILL)


def _signal(family: Sequence["psutil.Process"], number: int) -> None:
    import psutil  # noqa: PLC0415

    for process in family:
        with suppress(psutil.Error):
            process.send_signal(number)


def _resize(descriptor: int, streams: Streams) -> None:
    """Give a terminal the size of the one behind the streams."""
    import termios  # noqa: PLC0415

    size = terminal.size(streams)
    with suppress(OSError):
        termios.tcsetwinsize(descriptor, (size.lines, size.columns))
