"""Home whose controller works within the test, with jobs that are no processes.

A test decides how each job ends. Everything else is the controller's own: submissions,
the interpreter, the database, and the files of pods.
"""

import os
import shutil
import time
import uuid
from collections.abc import Collection, Iterable
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import pytest

from riseml import home_folder
from riseml.engines import Growth
from riseml.engines.local import protocol
from riseml.engines.local.controller.active_run import ActiveRun
from riseml.engines.local.controller.capacity import Capacity
from riseml.engines.local.controller.loop import EventLoop, FolderRemover
from riseml.engines.local.controller.machine import MachineQueue
from riseml.engines.local.controller.mutexes import Mutexes
from riseml.engines.local.controller.ports import Ports
from riseml.engines.local.controller.runs import ActiveRuns
from riseml.engines.local.controller.services import Services
from riseml.engines.local.controller.submit import Submitter
from riseml.engines.local.home import HomeLayout
from riseml.engines.local.interpreter.node import COLUMNS
from riseml.engines.local.jobs import processes, workdir
from riseml.engines.local.jobs.launcher import Launcher, LaunchError, ProcessSpec
from riseml.engines.local.reader import HomeReader
from riseml.engines.local.store import Store
from riseml.ids import Id
from riseml.plan import ExperimentSet
from riseml.plan_data import plan_to_data
from riseml.status import SetStatus

REVISION = "0123456789abcdef0123456789abcdef01234567"
_FIRST_PID = 1 << 30
_KILLED, _TERMINATED = 137, 143


class Job:
    """A job that was started: its specification, and a pipe that breaks at its end."""

    def __init__(self, spec: ProcessSpec, pid: int) -> None:
        self.spec, self.pid = spec, pid
        self.is_alive = True
        self.end_of_pipe, self._pipe = os.pipe()
        self.record = Path(spec.directory) / "pid"
        self.record.write_text(f"{pid} 1 boot {time.time()}\n")

    def end(self, status: int | None) -> None:
        """End with an exit status; None stands for a supervisor that was killed."""
        if status is not None:
            with self.record.open("a") as record:
                record.write(f"{status} -1 swept\n")
        if self.is_alive:
            self.is_alive = False
            os.close(self._pipe)

    def close(self) -> None:
        """Close the pipe."""
        self.end(None)
        os.close(self.end_of_pipe)


class Jobs:
    """Launcher of jobs that are no processes, and the signals that they get."""

    def __init__(self) -> None:
        self.started: list[Job] = []
        self.signals: list[tuple[str, str]] = []
        # How many launches fail
        self.failures = 0

    def begin(self, spec: ProcessSpec) -> None:
        """Begin to start a job, which `finish` starts."""
        self.begun = spec

    def finish(self) -> int:
        """Start the job that was begun."""
        if self.failures:
            self.failures -= 1
            raise LaunchError("too many processes")
        job = Job(self.begun, _FIRST_PID + len(self.started))
        self.started.append(job)
        return job.pid

    def close(self) -> None:
        """Do nothing: jobs outlive their controller."""

    def pidfd(self, pid: int) -> int:
        """Return what is readable once a job has ended."""
        return os.dup(self.started[pid - _FIRST_PID].end_of_pipe)

    def alive(self, pid: int, start: int, boot: str) -> bool:
        """Return whether a job of an earlier controller runs."""
        return (start, boot) == (1, "boot") and self.started[pid - _FIRST_PID].is_alive

    def terminate(self, pid: int, key: str) -> bool:
        """End a job as TERM does."""
        self.signals.append(("TERM", key))
        self.started[pid - _FIRST_PID].end(_TERMINATED)
        return True

    def sweep(
        self, key: str, spare: Collection[int] = (), *, supervisor: int | None = None
    ) -> int:
        """End a job as KILL does."""
        if supervisor is not None:
            assert supervisor in spare
            self.signals.append(("KILL", key))
            self.started[supervisor - _FIRST_PID].end(_KILLED)
        return 1


class Remover:
    """Remover of folders that does it at once."""

    def discard(self, folders: Iterable[Path]) -> None:
        """Remove folders."""
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)

    def close(self) -> None:
        """Do nothing: no folder is left."""


class ControlledHome:
    """A home, its controller, and the commands that read it as user `me`."""

    def __init__(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.home, self.jobs = home, Jobs()
        for name in ("pidfd", "alive", "terminate", "sweep"):
            monkeypatch.setattr(processes, name, getattr(self.jobs, name))
        monkeypatch.setattr(processes, "boot_id", lambda: "boot")
        # What jobs leave is kept at once, and not by a process beside the controller.
        monkeypatch.setattr(workdir, "is_small", lambda _: True)
        # Commands find that a controller runs.
        monkeypatch.setattr(protocol, "ensure", lambda _: None)
        for folder in ("store", "output", "runs", "envs"):
            home_folder.make_folder(home / folder)
        self.active: dict[int, ActiveRun] = {}
        self._open()
        self.reader = HomeReader(home, "me")

    def _open(self) -> None:
        self.store = Store.create(self.home, COLUMNS)
        self.loop = EventLoop()
        self.services = Services(
            identity="identity",
            layout=HomeLayout(self.home, self.home / "data", mounts=False),
            store=self.store,
            launcher=cast(Launcher, self.jobs),
            machine=MachineQueue(Capacity(Decimal(16), 1 << 40)),
            ports=Ports(),
            mutexes=Mutexes(),
            loop=self.loop,
            remover=cast(FolderRemover, Remover()),
            runs=self.active,
            attributes={},
            starter={},
        )
        self.runs = ActiveRuns(self.services, self.active)
        self.submitter = Submitter(self.services, self.runs)

    def restart(self) -> None:
        """Continue with another controller, to which only files are known."""
        self.close()
        self.active.clear()
        self._open()
        self.runs.restore()
        self.settle()

    def close(self) -> None:
        """Close the files of the controller."""
        for run in self.active.values():
            for pod in run.pods._pods.values():
                run.pods._unwatch(pod)
        self.loop.selector.close()
        self.store.close()

    def start(
        self,
        plan: ExperimentSet,
        into: Growth | None = None,
        token: str = "",
        revision: str = REVISION,
        **options: Any,
    ) -> dict[str, Any]:
        """Submit a plan, and start the jobs that may start."""
        submitted = self.submitter.start(
            plan=plan_to_data(plan),
            revision=revision,
            user="me",
            inherited={"environment": dict(os.environ), "attributes": {}},
            excluded={},
            token=token or uuid.uuid4().hex,
            into=asdict(into) if into else None,
            **options,
        )
        self.settle()
        return submitted

    def settle(self) -> None:
        """Apply what has happened, and record it."""
        self.loop.run_once(time.monotonic())
        assert self.runs.settle()

    def running(self) -> dict[str, Job]:
        """Return the jobs that run, by the end of their ids: `2.train` or `train`."""
        found = {}
        for run in self.active.values():
            for pod in run.pods._pods.values():
                if pod.pid:
                    name = f"{pod.experiment}.{pod.log.stem.split('.')[0]}"
                    found[name] = self.jobs.started[pod.pid - _FIRST_PID]
        return found

    def end(self, *names: str, status: int | None = 0) -> None:
        """End jobs with an exit status."""
        running = self.running()
        for name in names:
            running[name].end(status)
        self.settle()

    def output(self, number: int, *parts: str) -> Path:
        """Return a path in the output folder of a run of project mnist."""
        return self.home.joinpath("output/me/mnist", str(number), *parts)

    def read(self, number: int = 1) -> SetStatus:
        """Return a run as `riseml status` shows it."""
        return self.reader.read(Id(number=number))


def states(run: SetStatus) -> list[str]:
    """Return the states of the experiments of a run."""
    return [str(experiment.state) for experiment in run.experiments]
