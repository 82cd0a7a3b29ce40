"""Access to a running job as engines provide it: commands inside it, and connections to it.

exec, shell   ──▶ Command ──▶ JobAccess.run     ──▶ exit status
port-forward  ──▶ JobAccess.pass_on             ──▶ a port of the job
"""

import socket
from collections.abc import Callable
from typing import Protocol

from riseml.dataclass import dataclass, field

COMMAND_NOT_FOUND, COMMAND_NOT_STARTED = 127, 126
"""Exit statuses of commands that do not exist, or cannot be run, as shells have them."""
_SIGNALED = 128


@dataclass(frozen=True)
class Streams:
    """Descriptors of this process that a command in a job reads from and writes to."""

    stdin: int = 0
    stdout: int = 1
    stderr: int = 2

    @property
    def all(self) -> tuple[int, int, int]:
        """All of them, in the order of their numbers in the command."""
        return self.stdin, self.stdout, self.stderr


@dataclass(frozen=True)
class Command:
    """A command to run in a job.

    An empty `argv` stands for the user's shell; it is interactive if its input is a
    terminal. `tty` forces a terminal, or none; None gives the command one if input and
    output are terminals. A `greeting` is shown first, with the working directory in
    place of `{directory}`.
    """

    argv: tuple[str, ...] = ()
    tty: bool | None = None
    streams: Streams = field(default_factory=Streams)
    greeting: str = ""


@dataclass(frozen=True)
class Outcome:
    """The exit status of a command, and whether the end of the job has ended it."""

    status: int
    job_ended: bool = False


class JobAccess(Protocol):
    """A running job that commands and connections can reach; `close` releases it."""

    @property
    def shares_network(self) -> bool:
        """Whether the ports of the job are those of this machine."""

    def run(self, command: Command) -> Outcome:
        """Run a command in the job until it ends, or the job does.

        It gets the working directory and the environment of the job's own commands.

        Raises:
            NotFoundError: the job has ended.
            UnreachableError: the connection to the job broke.
        """

    def remark(self, port: int) -> str:
        """Return what keeps the job from answering at a port, in a sentence; "" if nothing does."""

    def pass_on(self, client: socket.socket, port: int) -> None:
        """Connect a client with a port of the job until both sides have ended.

        It closes the client in any case. May be called by many threads at once.

        Raises:
            OSError: nothing accepts connections at the port.
            RiseMLError: the job cannot be reached.
        """

    def wait(self, seconds: float) -> bool:
        """Wait for the end of the job for some seconds; return whether it has ended."""

    def close(self) -> None:
        """End what serves connections; may be called twice."""


Notify = Callable[[str], None]
"""Receiver of sentences for the user."""


def status_of(returncode: int) -> int:
    """Return an exit status as shells have it, 128 + n after signal n."""
    return returncode if returncode >= 0 else _SIGNALED - returncode
