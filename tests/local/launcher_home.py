"""Home with a launcher and jobs, for tests of both."""

import fcntl
import os
import select
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from riseml.engines.local.jobs import launcher, processes
from riseml.engines.local.jobs.launcher import Exit, Launcher, ProcessSpec, Step

# In seconds. Only a hang takes so long.
PATIENCE = 60.0
ANY_BYTES = os.fsdecode(bytes(range(1, 256)))
CHAIN = """import os, time
# Even if the test fails, the chain ends.
end = time.time() + 60
while time.time() < end:
    if os.fork():
        os._exit(0)
    os.setsid()
    time.sleep(0.02)
"""
# It is two sessions away from the job, and does not have the job's key.
DAEMON = "(setsid setsid env -i sleep 1000 &);"


@dataclass
class Home:
    """A home with a launcher, and the keys of its jobs."""

    folder: Path
    lock: int
    launcher: Launcher
    keys: list[str] = field(default_factory=list)

    def step(
        self,
        *argv: str,
        log: str | None = "log",
        cwd: Path | None = None,
        env: Mapping[str, str] = {},
    ) -> Step:
        path = str(self.folder / log) if log else None
        return Step(
            argv, {"PATH": os.environ["PATH"], **env}, str(cwd or self.folder), path
        )

    def sh(self, text: str, log: str | None = "log") -> Step:
        return self.step("sh", "-c", text, log=log)

    def job(self, main: Step | str, **options: Any) -> ProcessSpec:
        """Return a job that has not been started yet."""
        self.keys.append(f"test:{os.getpid()}:{self.folder}:{len(self.keys)}")
        directory = self.folder / f"job {len(self.keys)}"
        directory.mkdir()
        return ProcessSpec(
            self.keys[-1],
            str(directory),
            self.sh(main) if isinstance(main, str) else main,
            **options,
        )

    def launch(self, job: ProcessSpec) -> int:
        """Start a job and return the pid of its supervisor."""
        self.launcher.begin(job)
        return self.launcher.finish()

    def start(self, job: ProcessSpec) -> int:
        pid = self.launch(job)
        record = launcher.read_pid(Path(job.directory))
        assert record is not None
        assert record[0] == pid
        return pid

    def run(self, main: Step | str, **options: Any) -> Exit:
        """Start a job, wait until no process of it is left, and return how it ended."""
        job = self.job(main, **options)
        self.start(job)
        return self.end(job)

    def end(self, job: ProcessSpec) -> Exit:
        record = launcher.read_pid(Path(job.directory))
        assert record is not None
        gone(record[0])
        ended = launcher.read_exit(Path(job.directory))
        assert ended is not None
        assert ended.swept
        until(lambda: processes.members(job.key) == set())
        return ended

    def log(self, name: str = "log") -> str:
        return (self.folder / name).read_bytes().decode("utf-8", "surrogateescape")

    def says(self, text: str, name: str = "log") -> None:
        until(lambda: (self.folder / name).exists() and text in self.log(name))


def until(happened: Callable[[], bool]) -> None:
    limit = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < limit
        time.sleep(0.005)


def gone(pid: int) -> None:
    """Wait for the end of a process that is not a child of this one."""
    descriptor = processes.pidfd(pid)
    if descriptor is not None:
        assert select.select([descriptor], [], [], PATIENCE)[0]
        os.close(descriptor)
    until(lambda: not processes.exists(pid))


def opened(folder: Path) -> Home:
    folder.mkdir()
    lock = os.open(folder / "controller.lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(lock, fcntl.LOCK_EX)
    restart = [
        "/bin/sh",
        "-c",
        f'echo "${{{processes.KEY}-none}}" >> restarted',
        "controller",
    ]
    return Home(folder, lock, Launcher(folder, lock, restart))


@contextmanager
def a_home(folder: Path) -> Iterator[Home]:
    """Yield a home, and end its jobs and its launcher afterwards."""
    home = opened(folder)
    try:
        yield home
    finally:
        home.launcher.close()
        for key in home.keys:
            processes.sweep(key)
        os.close(home.lock)
        try:
            os.waitpid(home.launcher.pid, 0)
        except ChildProcessError:
            # The test has already waited for it.
            assert not processes.exists(home.launcher.pid)


def children(pid: int) -> list[int]:
    return list(processes._children(pid))
