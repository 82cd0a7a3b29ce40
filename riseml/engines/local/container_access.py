"""Access to a running job in a container of this machine, by podman or docker."""

import json
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path

from riseml.engines import join_script, terminal
from riseml.engines.access import Command, Outcome
from riseml.engines.local import joined_command
from riseml.engines.local.job_network import JobNetwork
from riseml.engines.local.jobs import container_processes, container_removal, processes
from riseml.engines.local.joiners import ContainerJoiner

_NAME = "container-name"


class JobContainer:
    """The container that runs the job of a folder; `supervisor` is the pid of the job's.

    Raises:
        LookupError, OSError: no container runs it at this moment.
    """

    def __init__(self, directory: Path, supervisor: int) -> None:
        spec = json.loads((directory / container_removal.SPEC).read_text("utf-8"))
        self.name = (directory / _NAME).read_text("utf-8").strip()
        self._program: str = spec["program"]
        self._environment: dict[str, str] = spec["environment"]
        key = processes.key_of(supervisor) or ""
        self._pid = container_processes.find_first(key, self.name) or self._ask_pid()
        self.network = JobNetwork(self._pid, key)

    def run(self, command: Command) -> Outcome:
        """Run a command in the container until it ends, or the job does."""
        file = join_script.pid_file()

        def kill(name: str) -> None:
            words = join_script.kill_words(file, name)
            # A handler of signals must not wait for it.
            threading.Thread(target=self._exec, args=(words,), daemon=True).start()

        joiner = ContainerJoiner(
            self._pid,
            [self._program, "exec", "--interactive"],
            [self.name, *join_script.words(command, file)],
            self._environment,
            kill,
            terminal.is_wanted(command),
        )
        return joined_command.run(joiner, command, alone=True)

    def _exec(self, words: Sequence[str]) -> None:
        """Run a small command in the container, whatever its outcome is."""
        subprocess.run(
            [self._program, "exec", self.name, *words],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )

    def _ask_pid(self) -> int:
        """Return the pid of a container's first process that belongs to another user."""
        words = ["container", "inspect", "--format", "{{.State.Pid}}", self.name]
        done = subprocess.run(
            [self._program, *words],
            env=self._environment,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        pid = done.stdout.strip()
        # It is 0 for a container that does not run.
        if not pid.isdecimal() or not int(pid):
            raise LookupError(self.name)
        return int(pid)


def is_contained(directory: Path) -> bool:
    """Return whether the job of a folder runs in a container."""
    return (directory / container_removal.SPEC).exists()
