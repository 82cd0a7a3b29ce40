"""Launcher of jobs that outlive the terminal, the command and the controller.

    Launcher.begin(ProcessSpec) ──▶ forkserver ──▶ supervisor (sh) ──▶ init steps, sidecars, main command
                                                  └── <directory>/pid, exit ──▶ read_pid, read_exit

A later controller finds everything about a job in the job's directory.
"""

import marshal
import os
import select
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from riseml.engines.local.jobs import (
    forkserver,
    launch_text,
    pid_file,
    processes,
    supervise,
)
from riseml.errors import RiseMLError

GRACE = 30.0
"""Seconds between TERM and KILL: the default of Kubernetes."""
MAIN = -1
"""Number of the main command among the steps of a job."""
JOINED = "joined"
"""File in a job's folder that exists once a process from outside has joined the job."""
_BEGUN = b"begun"
_REPLY_SECONDS = 1.0
# A job is started once more if the forkserver was killed before.
_ATTEMPTS = 2


class Mount(NamedTuple):
    """A directory or file that a job sees at `target`.

    With `layers` (options, work directory, lower directories), `source` receives what
    the job changes in the files of the lower ones.
    """

    source: str
    target: str
    read_only: bool = False
    layers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """One command of a job.

    Its environment is exactly `env`, and PWD. Its output goes to `log`, or is discarded
    if that is None.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: str
    log: str | None = None


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """A job: init steps one after the other, then `main` together with the sidecars.

    `directory` exists and belongs to this job alone. `deadline` is the longest running
    time of the main command in seconds, and `grace` the seconds between TERM and KILL.
    `network` is the file of the job's network, and `gateway` the program that connects it
    to others; both are empty in the machine's network. `secrets` are values that the logs
    must not show. `attributes` are those in which the job's processes differ from the
    launcher. Its steps enter the control `groups`, which are folders. Each of its
    processes may allocate `data_limit` bytes; 0 means no limit.
    """

    key: str
    directory: str
    main: Step
    init: tuple[Step, ...] = ()
    sidecars: tuple[Step, ...] = ()
    mounts: tuple[Mount, ...] = ()
    deadline: float | None = None
    grace: float = GRACE
    network: str = ""
    gateway: str = ""
    secrets: tuple[str, ...] = ()
    attributes: Mapping[str, list[int]] = field(default_factory=dict)
    groups: tuple[str, ...] = ()
    data_limit: int = 0


class Exit(NamedTuple):
    """How a job ended, and when, in seconds since 1970.

    `step` is MAIN or the index of the init step that failed, or MAIN - 1 - n for the
    sidecar n that failed after the main command has succeeded; `status` is 128 + n after
    signal n. `deadline` is whether the job reached its deadline, and `swept` whether no
    process of it is left: if not, it needs a `processes.sweep`.
    """

    status: int
    step: int
    time: float
    deadline: bool
    swept: bool


class LaunchError(RiseMLError):
    """The machine cannot start a job now; no process of it runs, and it may start later."""


class Launcher:
    """Launcher of a home's jobs.

    The descriptor `lock` holds the home's lock. The command `restart` starts a
    controller.
    """

    def __init__(self, home: Path, lock: int, restart: Sequence[str]) -> None:
        self._home = home
        self._lock = lock
        self._restart = tuple(restart)
        self._count = 0
        self._received = self._request = b""
        self._directory = home
        self._requests = self._replies = -1
        self._spawn()

    def begin(self, job: ProcessSpec) -> None:
        """Ask for the start of a job; `finish` has to follow before the next one."""
        self._count += 1
        self._directory = Path(job.directory)
        self._request = marshal.dumps(
            (
                self._count,
                job.key,
                os.fsencode(job.directory),
                *launch_text.request(job),
                (os.fsencode(job.network), os.fsencode(job.gateway)),
                tuple(map(os.fsencode, job.secrets)),
                dict(job.attributes),
            )
        )
        self._send()

    def finish(self) -> int:
        """Wait until the job has started that `begin` asked for.

        The result is its supervisor's pid, which is in its pid file by then.

        Raises:
            LaunchError: the machine cannot start it now. Its directory may contain a pid
                file, and needs to be replaced before another attempt.
            RiseMLError: the job could not be started, and no process of it runs.
        """
        for attempt in range(_ATTEMPTS):
            if attempt:
                self._send()
            reply = self._reply()
            if reply:
                return _pid_of(reply)
            # The forkserver was killed. Its unfinished forks are over as well, because
            # they hold the pipe of replies.
            record = read_pid(self._directory)
            if record is not None:
                return _running(*record)
            self._respawn()
        raise LaunchError("the launcher was killed")

    def close(self) -> None:
        """Let the forkserver exit once no job runs.

        Until then it starts a controller if a job ends and no process holds the lock.
        """
        if self._requests < 0:
            return
        with suppress(BrokenPipeError):
            os.write(self._requests, marshal.dumps(None))
        os.close(self._requests)
        os.close(self._replies)
        self._requests = self._replies = -1

    def _send(self) -> None:
        """Send the request; if the forkserver is gone, there is no reply."""
        view = memoryview(self._request)
        with suppress(BrokenPipeError):
            while view and self._requests >= 0:
                view = view[os.write(self._requests, view) :]

    def _reply(self) -> bytes:
        """Return the reply to the request, empty if the forkserver is gone."""
        if self._requests < 0:
            return b""
        prefix = b"%d " % self._count
        # Other lines are late reports of earlier jobs that were killed.
        line = self._line()
        while line and not line.startswith(prefix):
            line = self._line()
        return line.removeprefix(prefix)

    def _line(self) -> bytes:
        """Return the next line of replies, empty if the forkserver is gone."""
        while b"\n" not in self._received:
            while not select.select([self._replies], (), (), _REPLY_SECONDS)[0]:
                # A signal that comes just before a process waits does not wake it. The
                # forkserver may have missed the end of a job in this way.
                os.kill(self.pid, signal.SIGCHLD)
            data = os.read(self._replies, 4096)
            if not data:
                return b""
            self._received += data
        line, _, self._received = self._received.partition(b"\n")
        return line

    def _respawn(self) -> None:
        self.close()
        self._received = b""
        with suppress(ChildProcessError):
            os.waitpid(self.pid, 0)
        try:
            self._spawn()
        except OSError as error:
            self.close()
            raise LaunchError(
                f"the launcher does not start: {error.strerror}"
            ) from error

    def _spawn(self) -> None:
        requests_end, self._requests = os.pipe()
        self._replies, replies_end = os.pipe()
        os.set_inheritable(self._lock, True)
        try:
            self.pid = os.posix_spawn(
                sys.executable,
                [*bare(), "forkserver", str(self._lock), str(self._home)],
                os.environ,
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, requests_end, 0),
                    (os.POSIX_SPAWN_DUP2, replies_end, 1),
                ],
            )
        finally:
            os.set_inheritable(self._lock, False)
            os.close(requests_end)
            os.close(replies_end)
        os.write(self._requests, marshal.dumps(self._settings()))

    def _settings(self) -> forkserver.Settings:
        environment = dict(os.environ)
        # A controller that a supervisor starts is not part of the supervisor's job.
        environment[processes.KEY] = ""
        restart = supervise.command(self._restart, environment, str(self._home))
        log = str(self._home / os.fsdecode(forkserver.LOG))
        python, *options, file = bare()
        prologue = supervise.prologue(
            python=python, options=" ".join(options), bare=file
        )
        return (
            os.fsencode(self._home),
            processes.boot_id(),
            self._restart,
            prologue,
            supervise.epilogue(restart, log),
        )


def _pid_of(reply: bytes) -> int:
    """Return the pid in a reply of the forkserver, or raise the error that it reports."""
    number, _, reason = reply.partition(b" ")
    pid = int(number)
    if pid < 0:
        raise LaunchError(os.fsdecode(reason))
    if pid == 0:
        raise RiseMLError(os.fsdecode(reason))
    return pid


def _running(pid: int, start_time: int, boot: str) -> int:
    """Return the pid of a supervisor that has sent no reply, if it runs."""
    if processes.alive(pid, start_time, boot):
        return pid
    # A supervisor replies before it starts anything.
    raise LaunchError("it was killed as it started")


def read_pid(directory: Path) -> tuple[int, int, str] | None:
    """Return pid, start time and boot id of the supervisor of a job's directory.

    It is None if no job was started there.
    """
    lines, _ = _record(directory)
    if not lines:
        return None
    pid, start, boot, _ = lines[0].split()
    return int(pid), int(start), boot.decode()


def read_exit(directory: Path) -> Exit | None:
    """Return how the job of a directory ended.

    It is None while the job runs, and if its supervisor was killed.
    """
    lines, ended = _record(directory)
    # The first line is the launcher's.
    ends = [line for line in lines[1:] if line != _BEGUN]
    if not ends:
        return None
    status, step, *alone = ends[0].split()
    if status == b"0":
        # A sidecar that failed counts if the main command did not.
        status, step, *_ = ends[-1].split()
    return Exit(
        int(status),
        int(step),
        ended,
        deadline=_has(directory, "deadline"),
        swept=not _has(directory, JOINED) and (bool(alone) or _has(directory, "swept")),
    )


def _has(directory: Path, name: str) -> bool:
    """Return whether a job's directory has a file; a third of the time of `Path.exists`."""
    return os.path.exists(f"{directory}/{name}")  # noqa: PTH110


def has_begun(directory: Path) -> bool:
    """Return whether a step of a job may have run; without one, it may start again."""
    lines, _ = _record(directory)
    return len(lines) != 1


def read_started(directory: Path) -> float | None:
    """Return when the main command of a job started, in seconds since 1970.

    It is None if the job was not started.
    """
    try:
        return (directory / "main").stat().st_mtime
    except OSError:
        lines, _ = _record(directory)
        return float(lines[0].split()[3]) if lines else None


def _record(directory: Path) -> tuple[list[bytes], float]:
    """Return the lines of a job's pid file, and when it was last written."""
    return pid_file.read(str(directory))


def bare() -> tuple[str, ...]:
    """Return the command that runs a module of this package in a small process."""
    file = str(Path(__file__).with_name("bare.py"))
    if processes.LINUX:
        return (sys.executable, "-I", "-S", file)
    # Other systems need psutil, which is among the installed packages.
    return (sys.executable, "-I", file)
