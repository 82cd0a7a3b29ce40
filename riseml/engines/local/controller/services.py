"""Services that the runs of one home share with each other: database, launcher, machine, event loop.

    ActiveRun, RunPods, Submitter ──▶ Services ──▶ Store, Launcher, MachineQueue, Ports, Mutexes, EventLoop

Runs meet only here, and only by the keys of their pods.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from riseml.dataclass import dataclass, field
from riseml.engines.local import reserve, secrets
from riseml.engines.local.containers.preparer import ContainerPreparer, program_of
from riseml.engines.local.controller.job_limits import JobLimits
from riseml.engines.local.controller.loop import EventLoop, FolderRemover
from riseml.engines.local.controller.machine import MachineQueue
from riseml.engines.local.controller.mutexes import Mutexes
from riseml.engines.local.controller.ports import Ports
from riseml.engines.local.controller.usage_records import UsageRecords
from riseml.engines.local.home import HomeLayout
from riseml.engines.local.interpreter import events
from riseml.engines.local.jobs.attributes import Attributes, difference
from riseml.engines.local.jobs.launcher import Launcher
from riseml.engines.local.jobs.pod_to_process import PodPreparer
from riseml.engines.local.serialize import Inherited
from riseml.engines.local.store import Store
from riseml.settings import PROCESS


class EventReceiver(Protocol):
    """A run as other runs see it."""

    def enqueue(self, event: events.Event) -> None:
        """Hand an event to the interpreter of the run."""


@dataclass(frozen=True)
class Services:
    """Everything of one home that a run needs; `runs` holds the active ones by their key.

    `identity` distinguishes the processes of this home from those of other homes.
    `attributes` are those of the launcher; runs that recorded none have those of `starter`.
    """

    identity: str
    layout: HomeLayout
    store: Store
    launcher: Launcher
    machine: MachineQueue
    ports: Ports
    mutexes: Mutexes
    loop: EventLoop
    remover: FolderRemover
    runs: Mapping[int, EventReceiver]
    attributes: Attributes
    starter: Attributes
    limits: JobLimits = field(default_factory=JobLimits)
    usage: UsageRecords = field(default_factory=UsageRecords)

    def pod_key(self, key: int, node: str) -> str:
        """Return the key that every process of a pod of a Workflow has in its environment."""
        return f"{self.identity}:{key}:{node}"

    def preparer(
        self, key: int, folder: Path, inherited: Inherited, runner: str = PROCESS
    ) -> PodPreparer:
        """Return the converter for the pods of a run; `folder` keeps its own logs."""
        wanted = inherited.attributes or self.starter
        attributes = difference(wanted, self.attributes)
        if runner != PROCESS:
            program = program_of(runner, inherited.environment)
            return ContainerPreparer(
                self.layout,
                key,
                folder,
                inherited,
                self.secrets,
                attributes=attributes,
                program=program,
            )
        return PodPreparer(
            self.layout,
            key,
            folder,
            inherited,
            self.secrets,
            attributes=attributes,
        )

    def release_mutexes(self, key: str) -> None:
        """Drop the mutexes of a pod, and let the pods continue that obtain them."""
        for granted in self.mutexes.release(key):
            run = self.runs[workflow_key(granted)]
            run.enqueue(events.LockGranted(granted.split(":", 2)[2]))

    def commit(self, write: Callable[[], None], *, last: bool = False) -> None:
        """Commit what `write` writes; on a full disk, use the reserve.

        It may be called again after a failure. With `last`, it may use all of the
        reserve: the change lets space become free.

        Raises:
            HomeError: nothing is changed.
        """

        def transact() -> None:
            with self.store.transaction():
                write()

        reserve.spend(self.layout.home, transact, last=last)

    def secrets(self) -> dict[str, str]:
        """Return the secrets of this home: values by name."""
        return secrets.read(self.layout.home)

    def masked(self, text: str) -> str:
        """Return a text without the secrets of this home."""
        return secrets.masked(self.layout.home, text)


def workflow_key(pod_key: str) -> int:
    """Return the key of the Workflow that a pod belongs to."""
    return int(pod_key.split(":", 2)[1])
