"""Attendant of one container: starts it, passes signals on, and exits with its status.

    supervise.sh ──▶ attendant ──▶ `podman run -d` ──▶ conmon ──▶ entry.sh ──▶ the job's command
                        ▲                                            │
                        └──── started.<n>, status.<n> ◀──────────────┘ files of the job's folder

Nothing rests on what the container program says, because its processes may be killed at
any time. Whoever makes the file `started.<n>` first decides whether the n-th container
runs the job: entry.sh, or this process, which then starts another container.
"""

import json
import os
import re
import select
import signal
import sys
import time

from riseml.engines.local.jobs import (
    container_network,
    container_processes,
    container_removal,
    container_user,
    processes,
)

# Type checkers take this name as true. Loading `typing` itself would be slow.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FOLDER = "container"
"""The folder of a job that its container has at `MOUNT`."""
MOUNT = "/.riseml"

OUT_OF_MEMORY = f"{FOLDER}/oom"
"""File of a job's folder: the kernel killed a process of its container for want of memory."""

FAILED, KILLED = 125, 137
_MESSAGES = "container.log"
_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
# A start may fail because one of the program's processes was killed.
_STARTS = 10
_RETRY_SECONDS = 0.3
_POLL_SECONDS = 0.01
_LAST_LINES = 5
_BEGIN_SECONDS = 60.0
_CHECK_SECONDS = 1.0
# conmon starts a container within a second, on a busy machine within some.
_MONITOR_SECONDS = 10.0
# Options that a machine may not support, and what the program then says.
_LIMITS = re.compile(r"cgroup|cpu\.|memory\.|controller|oom_score", re.IGNORECASE)
_NETWORK = re.compile(
    r"netavark|slirp4netns|pasta|\bcni\b|iptables|nftables|network", re.IGNORECASE
)


class Attendant:
    """Attendant of the container that the file `SPEC` of a folder describes."""

    def __init__(self, folder: str) -> None:
        with open(
            os.path.join(folder, container_removal.SPEC), encoding="utf-8"
        ) as file:
            self._spec: dict[str, Any] = json.load(file)
        self._folder = folder
        self._attempt = 0
        # The controller removes what this process cannot.
        self._has_left_some = False
        self._limits: list[str] = self._spec["limits"]
        self._network: list[str] = []
        self._user: list[str] = []
        self._gang: container_network.Gang | None = None
        if self._spec["gang"]:
            self._gang = container_network.Gang(self._spec["gang"], self._call)
        self._signals, signal_writer = os.pipe()
        os.set_blocking(signal_writer, False)
        signal.set_wakeup_fd(signal_writer)
        for number in _STOP_SIGNALS:
            signal.signal(number, _do_nothing)
        # The controller reads what the job writes there.
        os.symlink(f"{FOLDER}/progress", os.path.join(folder, "progress"))

    def run(self) -> int:
        """Run the container to its end, and return the status of the job's command."""
        self._user = container_user.options(self._spec, self._answer)
        if self._gang is not None:
            network = self._gang.join()
            if network is None:
                self._explain(self._messages())
                return FAILED
            self._network = network
        status = self._run()
        self._remove()
        if self._gang is not None:
            self._gang.leave()
        return status

    def _run(self) -> int:
        failures = 0
        while True:
            status = self._start()
            messages = self._messages()
            if self._begins(status):
                return self._attend()
            container_processes.kill_monitor(os.getppid(), self._name)
            self._remove_container()
            if self._has_signal():
                return 128 + signal.SIGTERM
            failures += 1
            if failures >= _STARTS and not self._relax(messages):
                self._explain(messages)
                return status if status > 0 else KILLED
            time.sleep(_RETRY_SECONDS)
            self._attempt += 1

    # Start

    @property
    def _name(self) -> str:
        return f"{self._spec['name']}.{self._attempt}"

    def _file(self, name: str) -> str:
        return os.path.join(self._folder, FOLDER, f"{name}.{self._attempt}")

    def _start(self) -> int:
        """Return the exit status of the program, negative after a signal."""
        _write(os.path.join(self._folder, "container-name"), self._name)
        words = ["run", "--detach", "--name", self._name]
        words += ["--env", f"{container_processes.NAME}={self._name}"]
        words += [*self._limits, *self._network, *self._user]
        words += [*self._spec["options"], self._spec["image"]]
        words += [*self._spec["command"], str(self._attempt), *self._spec["argv"]]
        pid = self._spawn(words)
        self._watch_start(pid)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def _watch_start(self, pid: int) -> None:
        """Wait for the end of `podman run`, and free it where it would wait forever.

        Where the runtime is killed after it has made the first process, conmon waits for
        that process, which waits to be started, and podman keeps its lock.
        """
        pidfd = processes.pidfd(pid)
        if pidfd is None:
            return
        poll = select.poll()
        poll.register(pidfd, select.POLLIN)
        limit = None
        while not poll.poll(_CHECK_SECONDS * 1000):
            if not container_processes.find_monitor(os.getppid(), self._name):
                continue
            now = time.monotonic()
            limit = limit or now + _MONITOR_SECONDS
            if now > limit and not os.path.exists(self._file("started")):
                container_processes.kill_monitor(os.getppid(), self._name)
        os.close(pidfd)

    def _begins(self, status: int) -> bool:
        """Return whether the container runs the job's command, or has run it.

        If not, it never will.
        """
        limit = time.monotonic() + (_BEGIN_SECONDS if status == 0 else 0)
        check = time.monotonic() + _CHECK_SECONDS
        started = self._file("started")
        while time.monotonic() < limit and not os.path.exists(started):
            time.sleep(_POLL_SECONDS)
            if time.monotonic() > check:
                if self._inspect("{{.State.Status}}") != "running":
                    break
                check += _CHECK_SECONDS
        try:
            os.close(os.open(started, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return True
        return False

    def _relax(self, messages: str) -> bool:
        """Give up an option that this machine does not support.

        Return False if the messages of the program name none.
        """
        if self._limits and _LIMITS.search(messages):
            self._limits = []
            _log("this machine lets no container have limits of cpus and mem")
            return True
        if not self._network and _NETWORK.search(messages):
            self._network = ["--network", "host"]
            _log("this machine has no network for containers, so the job uses its own")
            return True
        return False

    def _explain(self, messages: str) -> None:
        program = self._spec["kind"]
        _log(f"{program} could not start the container of this job")
        for line in messages.strip().splitlines()[-_LAST_LINES:]:
            _log(f"{program}: {line}")

    def _messages(self) -> str:
        try:
            path = os.path.join(self._folder, _MESSAGES)
            with open(path, encoding="utf-8", errors="replace") as file:
                return file.read()
        except OSError:
            return ""

    # Run

    def _attend(self) -> int:
        """Wait for the end of the container, and return the status of its command."""
        pid = self._find_process()
        pidfd = processes.pidfd(pid) if pid else None
        if pidfd is not None:
            self._wait(pid, pidfd)
        status = self._status()
        if status != 0 and os.path.exists(os.path.join(self._folder, OUT_OF_MEMORY)):
            _log("the kernel killed a process: the job used more memory than its `mem`")
        return status

    def _wait(self, pid: int, pidfd: int) -> None:
        """Wait for the end of a container's first process, and pass signals on."""
        poll = select.poll()
        poll.register(pidfd, select.POLLIN)
        poll.register(self._signals, select.POLLIN)
        while True:
            ready = dict(poll.poll())
            if pidfd in ready:
                return
            for number in os.read(self._signals, 64):
                self._pass_on(pid, number)

    def _pass_on(self, pid: int, number: int) -> None:
        """Send a signal to the job's command, the child of the container's first process."""
        children = container_processes.children(pid)
        while not children and processes.exists(pid):
            # It has not started the command yet.
            time.sleep(_POLL_SECONDS)
            children = container_processes.children(pid)
        try:
            for child in children:
                os.kill(child, number)
        except ProcessLookupError:
            return
        except PermissionError:
            line = f"read -r child < /proc/1/task/1/children; kill -{number} $child"
            self._call(["exec", self._name, "sh", "-c", line])

    def _find_process(self) -> int:
        """Return the pid of the container's first process, 0 if it has ended."""
        pid = container_processes.find_first(os.environ[processes.KEY], self._name)
        if pid:
            return pid
        if os.path.exists(self._file("status")):
            return 0
        # A daemon's containers may belong to another user.
        pid_text = self._inspect("{{.State.Pid}}")
        return int(pid_text) if pid_text.isdecimal() else 0

    def _status(self) -> int:
        try:
            with open(self._file("status"), encoding="ascii") as file:
                text = file.read()
        except OSError:
            text = ""
        # Without a line end, entry.sh was killed as it wrote.
        return int(text) if text.endswith("\n") else KILLED

    def _has_signal(self) -> bool:
        return bool(select.select([self._signals], (), (), 0)[0])

    # The program

    def _inspect(self, field: str) -> str:
        return self._answer(["container", "inspect", "--format", field, self._name])

    def _answer(self, words: "list[str]") -> str:
        """Return what the program prints, empty if it fails."""
        status = self._call(words)
        for _ in range(_STARTS):
            if status >= 0:
                break
            # It was killed, and has changed nothing.
            status = self._call(words)
        return self._messages().strip() if status == 0 else ""

    def _remove_container(self) -> None:
        words = container_removal.removal(self._spec["program"])
        if self._call([*words, self._name]) != 0:
            self._has_left_some = True

    def _remove(self) -> None:
        """Remove the container, and record that the controller does not have to."""
        self._remove_container()
        if not self._has_left_some:
            _write(os.path.join(self._folder, container_removal.REMOVED), "")

    def _call(self, words: "list[str]") -> int:
        """Run the program, and return its exit status; `_messages` are its output."""
        return os.waitstatus_to_exitcode(os.waitpid(self._spawn(words), 0)[1])

    def _spawn(self, words: "list[str]") -> int:
        messages = os.path.join(self._folder, _MESSAGES)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        return os.posix_spawn(
            self._spec["program"],
            [self._spec["kind"], *words],
            os.environ,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, messages, flags, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            # A TERM for the job's process group is not meant for the program.
            setpgroup=0,
        )


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def _log(line: str) -> None:
    """Write a line into the job's log."""
    os.write(1, f"riseml: {line}\n".encode(errors="replace"))


def _do_nothing(*_: object) -> None:
    """Do nothing."""


def main() -> None:
    """Run the container of a job; the argument is the job's folder."""
    raise SystemExit(Attendant(sys.argv[1]).run())
