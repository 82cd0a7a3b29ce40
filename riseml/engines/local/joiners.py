"""Starters of commands in jobs of this machine: in their namespaces, or in their containers."""

import marshal
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from riseml import umask
from riseml.dataclass import dataclass
from riseml.engines.access import Streams
from riseml.engines.local.jobs import job_entry, launcher
from riseml.engines.local.jobs.job_process import JobProcess
from riseml.engines.local.joined_command import Child


@dataclass(frozen=True)
class NamespaceJoiner:
    """Starter of a command in the namespaces of a job's process.

    `words` begin with the program, which has exactly this environment.
    """

    job_pid: int
    process: JobProcess
    words: Sequence[str]
    environment: Mapping[str, str]

    def start(self, streams: Streams, *, is_leader: bool, has_terminal: bool) -> Child:
        """Start the process that becomes the command."""
        entry: job_entry.Entry = (
            self.process.pid,
            tuple(self.words),
            dict(self.environment),
            self.process.directory,
            self.process.umask,
            has_terminal,
        )
        return _start(entry, streams, is_leader=is_leader)

    def send(self, child: Child, number: int) -> None:
        """Send a signal to the command and the processes of its group."""
        with suppress(ProcessLookupError):
            os.killpg(child.pid, number)


@dataclass(frozen=True)
class ContainerJoiner:
    """Starter of a command in a job's container, by podman or docker.

    `exec_words` call the program, without the option for a terminal; `target` are the
    name of the container and the words of the command. `kill` sends a signal, such as
    INT, to the command.
    """

    job_pid: int
    exec_words: Sequence[str]
    target: Sequence[str]
    environment: Mapping[str, str]
    kill: Callable[[str], None]
    wants_terminal: bool

    def start(self, streams: Streams, *, is_leader: bool, has_terminal: bool) -> Child:
        """Start the program that stands for the command."""
        options = ["--tty"] if self.wants_terminal else []
        entry: job_entry.Entry = (
            # It stays in the namespaces of this process.
            os.getpid(),
            (*self.exec_words, *options, *self.target),
            dict(self.environment),
            str(Path.cwd()),
            umask.current(),
            has_terminal,
        )
        return _start(entry, streams, is_leader=is_leader)

    def send(self, child: Child, number: int) -> None:
        """Send a signal to the command."""
        del child
        self.kill(signal.Signals(number).name.removeprefix("SIG"))


def _start(entry: job_entry.Entry, streams: Streams, *, is_leader: bool) -> Child:
    """Start the process that becomes a command."""
    reader, writer = os.pipe()
    with os.fdopen(writer, "wb") as pipe:
        child = subprocess.Popen(
            [*launcher.bare(), "job_entry", str(reader)],
            stdin=streams.stdin,
            stdout=streams.stdout,
            stderr=streams.stderr,
            pass_fds=(reader,),
            start_new_session=is_leader,
        )
        os.close(reader)
        # It is killed if its job ends at this moment.
        with suppress(BrokenPipeError):
            pipe.write(marshal.dumps(entry))
            pipe.flush()
    return child
