"""Start jobs so that they outlive terminal, command and controller.

    Launcher.start(ProcessSpec) ──▶ forkserver ──▶ supervisor (sh) ──▶ init steps, sidecars, main command
                                                  └── <directory>/pid, exit ──▶ read_pid, read_exit

The job's directory tells everything that a later controller must know.
"""

import marshal
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from riseml.engines.local.jobs import forkserver, processes, supervise
from riseml.errors import RiseMLError

# Seconds between TERM and KILL, Kubernetes' default
GRACE = 30.0
MAIN = -1
_NEVER = os.fsdecode(forkserver.NEVER)


class Mount(NamedTuple):
    """A directory or file that a job sees at `target`."""

    source: str
    target: str
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One command of a job: its environment is exactly `env`, and PWD; `log` gets its output, None drops it."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: str
    log: str | None = None


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """A job: init steps one after the other, then `main` with the sidecars beside it.

    `directory` exists and is the job's alone. `deadline` is in seconds of the main command's running time; `grace` lies
    between TERM and KILL.
    """

    key: str
    directory: str
    main: Step
    init: tuple[Step, ...] = ()
    sidecars: tuple[Step, ...] = ()
    mounts: tuple[Mount, ...] = ()
    deadline: float | None = None
    grace: float = GRACE


class Exit(NamedTuple):
    """How a job ended: `step` is MAIN or the index of the init step that failed, `status` 128 + n after signal n.

    `deadline`: it ran longer than it may. `swept`: no process of it is left; False needs a `processes.sweep`.
    """

    status: int
    step: int
    time: float
    deadline: bool
    swept: bool


class Launcher:
    """Starts the jobs of a home. The descriptor `lock` holds the home's lock; `restart` starts a controller."""

    def __init__(self, home: Path, lock: int, restart: Sequence[str]) -> None:
        self._home, self._lock, self._restart = home, lock, tuple(restart)
        self._count, self._said = 0, b""
        self._spawn()

    def start(self, job: ProcessSpec) -> int:
        """Start a job and return its supervisor's pid; the job's pid file is written by then.

        Raises:
            RiseMLError: it could not be started, and nothing of it runs.
        """
        self._count += 1
        request = marshal.dumps(
            (self._count, job.key, os.fsencode(job.directory), *_written(job))
        )
        for _ in range(2):
            if reply := self._asked(request):
                break
            if found := read_pid(
                Path(job.directory)
            ):  # the launcher was killed, but did this before
                return found[0]
            self._respawn()
        else:
            raise RiseMLError(
                f"the job {job.key} could not be started: its launcher was killed"
            )
        pid, _, reason = reply.partition(b" ")
        if pid == b"0":
            raise RiseMLError(os.fsdecode(reason))
        return int(pid)

    def close(self) -> None:
        """Let the launcher go; jobs go on, and where one ends later and nobody holds the lock, a controller starts."""
        with suppress(BrokenPipeError):
            os.write(self._requests, marshal.dumps(None))
        os.close(self._requests)
        os.close(self._replies)

    def _asked(self, request: bytes) -> bytes:
        """Return the answer to a request, empty when the launcher is gone."""
        view, reply = memoryview(request), b""
        try:
            while view:
                view = view[os.write(self._requests, view) :]
        except BrokenPipeError:
            return b""
        wanted = b"%d " % self._count
        while not reply.startswith(
            wanted
        ):  # others are late news of jobs that were killed
            reply = self._line()
            if not reply:
                return b""
        return reply.removeprefix(wanted)

    def _line(self) -> bytes:
        """Return the next line of answers, empty when the launcher is gone."""
        while b"\n" not in self._said:
            data = os.read(self._replies, 4096)
            if not data:
                return b""
            self._said += data
        line, _, self._said = self._said.partition(b"\n")
        return line

    def _respawn(self) -> None:
        self.close()
        self._said = b""
        with suppress(ChildProcessError):
            os.waitpid(self.pid, 0)
        self._spawn()

    def _spawn(self) -> None:
        there, self._requests = os.pipe()
        self._replies, here = os.pipe()
        os.set_inheritable(self._lock, True)
        try:
            self.pid = os.posix_spawn(
                sys.executable,
                [*_bare(), "forkserver", str(self._lock), str(self._home)],
                os.environ,
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, there, 0),
                    (os.POSIX_SPAWN_DUP2, here, 1),
                ],
            )
        finally:
            os.set_inheritable(self._lock, False)
            os.close(there)
            os.close(here)
        os.write(self._requests, marshal.dumps(self._settings()))

    def _settings(self) -> forkserver.Settings:
        own = (
            {**os.environ, processes.KEY: ""}
            if processes.KEY in os.environ
            else os.environ
        )
        restart = supervise.command(self._restart, own, str(self._home))
        python, *options = _bare()
        return (
            os.fsencode(self._home),
            processes.boot_id(),
            self._restart,
            supervise.prologue(
                python=python, options=" ".join(options[:-1]), bare=options[-1]
            ),
            supervise.epilogue(
                restart,
                os.path.join(self._home, os.fsdecode(forkserver.LOG)),  # noqa: PTH118
            ),
        )


def read_pid(directory: Path) -> tuple[int, int, str] | None:
    """Return pid, start time and boot id of the supervisor that was started in `directory`, None if there was none."""
    lines, _ = _record(directory)
    if not lines:
        return None
    pid, start, boot, _ = lines[0].split()
    return int(pid), int(start), boot.decode()


def read_exit(directory: Path) -> Exit | None:
    """Return how the job of `directory` ended, None while it has not, or when its supervisor was killed."""
    lines, ended = _record(directory)
    # The first is the launcher's
    if len(lines) < 2:  # noqa: PLR2004
        return None
    status, step, *alone = lines[1].split()
    swept = bool(alone) or (directory / "swept").exists()
    return Exit(int(status), int(step), ended, (directory / "deadline").exists(), swept)


def read_started(directory: Path) -> float | None:
    """Return when the main command of the job in `directory` started, None if it has not; seconds since 1970."""
    try:
        return (directory / "main").stat().st_mtime
    except OSError:
        lines, _ = _record(directory)
        return float(lines[0].split()[3]) if lines else None


def _record(directory: Path) -> tuple[list[bytes], float]:
    """Return the complete lines of a job's pid file, and when it was last written."""
    try:
        with open(directory / "pid", "rb") as file:  # noqa: PTH123
            return file.read().split(b"\n")[:-1], os.fstat(file.fileno()).st_mtime
    except OSError:
        return [], 0.0


def _written(
    job: ProcessSpec,
) -> tuple[bytes, tuple[bytes, ...], tuple[tuple[bytes, bytes, bool], ...]]:
    """Return what the launcher needs: steps as shell text, paths of logs, mounts."""
    steps = (job.main, *job.init, *job.sidecars)
    logs = {
        log: index
        for index, log in enumerate(dict.fromkeys(step.log or _NEVER for step in steps))
    }
    supervise.check_logs(len(logs))

    def text(step: Step) -> tuple[bytes, int]:
        return supervise.command(
            step.argv, {**step.env, processes.KEY: job.key}, step.cwd
        ), logs[step.log or _NEVER]

    parts = [supervise.assign(grace=supervise.seconds(job.grace))]
    parts += [
        supervise.init(index, *text(step), len(logs))
        for index, step in enumerate(job.init)
    ]
    sidecars = [text(step) for step in job.sidecars]
    main, _ = text(job.main)
    parts.append(
        supervise.main(main, len(logs), sidecars, job.deadline, mark=bool(job.init))
    )
    mounts = tuple(
        (os.fsencode(mount.source), os.fsencode(mount.target), mount.read_only)
        for mount in job.mounts
    )
    return b"".join(parts), tuple(map(os.fsencode, logs)), mounts


def _bare() -> tuple[str, ...]:
    """Return the command that runs a module of this package in a small process; elsewhere than on Linux with psutil."""
    file = str(Path(__file__).with_name("bare.py"))
    return (
        (sys.executable, "-I", "-S", file)
        if processes.LINUX
        else (sys.executable, "-I", file)
    )
