"""Access to a running job of this machine: commands beside its own, connections to its ports."""

import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from riseml import connections
from riseml.engines import terminal
from riseml.engines.access import Command, Outcome
from riseml.engines.local import container_access, joined_command, shell_words
from riseml.engines.local.container_access import JobContainer
from riseml.engines.local.job_network import JobNetwork
from riseml.engines.local.jobs import job_process, processes
from riseml.engines.local.joiners import NamespaceJoiner
from riseml.errors import NotFoundError


class JobEnvironment(Protocol):
    """Where a job runs: in namespaces of this machine, or in a container."""

    network: JobNetwork

    def run(self, command: Command) -> Outcome:
        """Run a command there until it ends, or the job does."""


class LocalAccess:
    """A running job of this machine; `directory` is the folder of its processes.

    Raises:
        NotFoundError: it has ended.
    """

    def __init__(self, job: str, directory: Path) -> None:
        self._job, self._directory = job, directory
        supervisor = job_process.supervisor(directory)
        if supervisor is None:
            raise self._gone()
        self._supervisor = supervisor
        self._environment = self._open()

    def _open(self) -> JobEnvironment:
        with suppress(LookupError, OSError):
            if container_access.is_contained(self._directory):
                return JobContainer(self._directory, self._supervisor)
            return JobNamespaces(self._job, self._directory, self._supervisor)
        raise self._gone()

    @property
    def shares_network(self) -> bool:
        """Whether the ports of the job are those of this machine."""
        return self._environment.network.is_shared

    def run(self, command: Command) -> Outcome:
        """Run a command in the job until it ends, or the job does."""
        with suppress(OSError):
            job_process.join(self._directory)
        # The record has to precede the end of the job, so that its end looks for it.
        if job_process.supervisor(self._directory) != self._supervisor:
            raise self._gone()
        return self._environment.run(command)

    def remark(self, port: int) -> str:
        """Return what keeps the job from answering at a port; "" if nothing does."""
        return self._environment.network.remark(port, self._job)

    def pass_on(self, client: socket.socket, port: int) -> None:
        """Connect a client with a port of the job until both sides have ended."""
        try:
            server = self._environment.network.connect(port)
        except OSError:
            with client:
                connections.reset(client)
            raise
        connections.exchange(client, server)

    def wait(self, seconds: float) -> bool:
        """Wait for the end of the job for some seconds; return whether it has ended."""
        return job_process.await_end(self._supervisor, seconds)

    def close(self) -> None:
        """End what serves connections."""
        self._environment.network.close()

    def _gone(self) -> NotFoundError:
        return NotFoundError(
            f"{self._job} has no running process",
            f"`riseml status {self._job}` shows its state.",
        )


class JobNamespaces:
    """The namespaces, the working directory and the environment of a job's processes.

    Raises:
        LookupError: its main command does not run at this moment.
    """

    def __init__(self, job: str, directory: Path, supervisor: int) -> None:
        self._job, self._directory, self._supervisor = job, directory, supervisor
        process = job_process.inspect(supervisor)
        if process is None:
            raise LookupError(job)
        self._process = process
        key = process.environment.get(processes.KEY, "")
        self.network = JobNetwork(process.pid, key)

    def run(self, command: Command) -> Outcome:
        """Run a command there until it ends, or the job does."""
        words, environment = self._words(command)
        if command.greeting and terminal.is_wanted(command):
            greeting = command.greeting.format(directory=self._process.directory)
            os.write(command.streams.stderr, f"{greeting}\n".encode())
        joiner = NamespaceJoiner(self._supervisor, self._process, words, environment)
        return joined_command.run(joiner, command)

    def _words(self, command: Command) -> tuple[tuple[str, ...], Mapping[str, str]]:
        """Return the words and the environment of a command, or of the user's shell."""
        environment = dict(self._process.environment)
        has_terminal = terminal.is_wanted(command)
        if has_terminal and terminal.kind():
            environment["TERM"] = terminal.kind()
        if command.argv:
            return command.argv, environment
        shell = shell_words.user_shell(os.environ)
        if not has_terminal:
            return (shell,), environment
        words, additions = shell_words.interactive(
            shell, environment, self._directory, f"({self._job}) "
        )
        return words, {**environment, **additions}
