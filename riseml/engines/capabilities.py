"""Protocols of what some engines can do beyond `Engine`.

A caller asks with `isinstance` whether an engine provides one of them.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from riseml.dataclass import dataclass
from riseml.ids import Id
from riseml.plan import Marks
from riseml.status import SetStatus

# Few commands need these, and each takes time to load.
if TYPE_CHECKING:
    from riseml.consumption import DiskUse
    from riseml.diagnosis.evidence import Evidence, Holder, MemoryLimit
    from riseml.engines.access import JobAccess
    from riseml.engines.views import UsageView
    from riseml.job_python import Interpreter
    from riseml.plan import ExperimentSet
    from riseml.project.image_key import ImageKey
    from riseml.status import ExperimentStatus, JobStatus
    from riseml.storage.volume import Volume


@runtime_checkable
class ServesTensorBoard(Protocol):
    """Provided by engines whose TensorBoards can be reached from this machine."""

    def tensorboard_url(self, run: Id) -> str | None:
        """Return where the TensorBoard of a run can be opened, None if it does not run.

        It may need some more seconds before it answers. May be called any number of
        times.

        Raises:
            NotFoundError: there is no such run.
        """


@runtime_checkable
class ProvidesEvidence(Protocol):
    """Provided by engines that know more about a run than its status says."""

    def evidence(self, run: Id) -> "Evidence":
        """Return what explains the state of a run, experiment or job, without logs.

        What the user may not see is left out, and is no error.

        Raises:
            NotFoundError: nothing has this id.
        """


@runtime_checkable
class KnowsLogins(Protocol):
    """Provided by engines whose users may be several people."""

    def login(self) -> str:
        """Return the name by which the engine's cluster knows this person."""


@runtime_checkable
class SharesItsMachine(Protocol):
    """Provided by engines whose jobs share the user's machine, environment and network."""

    def shortage(self, plan: "ExperimentSet") -> str:
        """Explain why this machine can never run an experiment of a plan; "" if it can."""

    def job_python(
        self, plan: "ExperimentSet", environment: Mapping[str, str]
    ) -> "Interpreter | None":
        """Return the Python that jobs of a plan would find, None if they find none.

        `environment` is that of the command which submits the plan.
        """

    def differences(
        self, plan: "ExperimentSet", environment: Mapping[str, str], runner: str
    ) -> Sequence[str]:
        """Return what differs from a cluster for jobs of a plan, in sentences."""

    def python(self, job: Id) -> "Interpreter | None":
        """Return the Python that a failed job's commands found, None if it is not known.

        Raises:
            NotFoundError: there is no such run.
        """

    def port_holder(self, job: Id) -> "Holder | None":
        """Return who held the port that a failed job needed, None if it is not known.

        Raises:
            NotFoundError: there is no such run.
        """

    def memory_limit(self, job: Id) -> "MemoryLimit | None":
        """Return the memory limit at which a job failed, None if that is not the reason.

        Raises:
            NotFoundError: there is no such run.
        """


@runtime_checkable
class BuildsImages(Protocol):
    """Provided by engines that run install steps once for all runs that need the same."""

    def image_key(
        self,
        plan: "ExperimentSet",
        revision: str,
        environment: Mapping[str, str],
        base: str | None = None,
    ) -> "ImageKey":
        """Return the key of a plan's image for the code of a revision.

        `base` is the image that install steps start from, None for the current one of
        the plan's image. Equal keys mean that no second build is needed.

        Raises:
            ProjectError: the code cannot be read on this machine.
        """

    def image(self, key: "ImageKey") -> str | None:
        """Return the image of a key, None if it has to be built. Nothing is built here."""


@runtime_checkable
class GivesAccess(Protocol):
    """Provided by engines whose running jobs can be reached from this machine."""

    def access(self, run: "SetStatus", job: "JobStatus") -> "JobAccess":
        """Return access to a running job of a run; the caller closes it.

        Raises:
            NotAllowedError: the user may not access it.
            NotFoundError: it has ended.
        """


@runtime_checkable
class HasVolumes(Protocol):
    """Provided by engines whose volumes can be read and written from this machine."""

    def volume(self, name: str) -> "Volume":
        """Return the volume `data` or `output`."""


@runtime_checkable
class KeepsMarks(Protocol):
    """Provided by engines in which the name, tags and note of a run can change."""

    def mark(self, run: Id, marks: Marks) -> None:
        """Replace the name, tags and note of a run, whether or not it has ended.

        May be called twice.

        Raises:
            NotFoundError: there is no such run.
        """


@runtime_checkable
class Repairable(Protocol):
    """Provided by engines that keep a list of runs on this machine."""

    def repair(self) -> Sequence[str]:
        """Repair the list of runs; return what was done, in sentences.

        The result is empty if nothing is wrong. May be called twice. Nothing that cannot
        be made again is removed.

        Raises:
            HomeError: it cannot be repaired; nothing was changed.
        """


@runtime_checkable
class HasLocalOutput(Protocol):
    """Provided by engines whose outputs are folders of this machine."""

    def folder(self, run: Id) -> Path:
        """Return the output folder of a run, or with `run.sub` of one experiment.

        The folder may not exist yet.

        Raises:
            NotFoundError: there is no such run.
        """


@runtime_checkable
class HoldsJobs(Protocol):
    """Provided by engines that keep a failed job for the time of `hold_on_failure`."""

    def release(self, run: "SetStatus", jobs: Sequence[str]) -> None:
        """Release jobs of a run, given their ids; they end a moment later.

        A job that is not held stays as it is. May be called twice.

        Raises:
            NotAllowedError: it is a run of another user.
        """


@runtime_checkable
class ReportsEnds(Protocol):
    """Provided by engines that can wait for the end of a run without reading all of it."""

    def ending(self, run: Id) -> "Iterator[SetStatus | ExperimentStatus]":
        """Yield the state of a run or experiment as it changes, and its status once it has ended.

        Raises:
            NotFoundError: there is no such run or experiment.
        """


@runtime_checkable
class Monitors(Protocol):
    """Provided by engines that know what running jobs use."""

    def usage(self, selected: Id) -> "UsageView":
        """Return a view of what the running jobs that an id selects use.

        An id without a number selects all running jobs of the user. A TensorBoard is
        selected only by its own id.

        Raises:
            NotAllowedError: the user may not see them.
        """


@dataclass(frozen=True)
class RunnerChoice:
    """What runs the jobs of a run on one machine: process, podman or docker.

    `reason` says why, as the end of a sentence; it is empty if the user has named the
    runner. `version` is that of the container engine. It `is_notable` if a user may be
    surprised by it.
    """

    name: str
    reason: str = ""
    version: str = ""
    is_notable: bool = True

    def __str__(self) -> str:
        title = f"{self.name} {self.version}".rstrip()
        return f"{title}, because {self.reason}" if self.reason else title


@runtime_checkable
class ChoosesRunner(Protocol):
    """Provided by engines that can run jobs in several ways on one machine."""

    def choose_runner(
        self, plan: "ExperimentSet", runner: str, environment: Mapping[str, str]
    ) -> RunnerChoice:
        """Return what runs the jobs of a plan; `runner` is what the user named, or empty.

        Raises:
            UnsupportedError: the user has named a runner that does not work here.
        """


@runtime_checkable
class MeasuresUsage(Protocol):
    """Provided by engines that know what runs have used, and what is on their disks."""

    def records(self, project: str | None = None) -> Iterable["SetStatus"]:
        """Yield all runs of the user with all jobs, newest first, without results."""

    def disk_use(
        self,
        removed: Sequence["SetStatus"],
        kept: Sequence["SetStatus"],
        unused_since: float,
    ) -> "DiskUse":
        """Measure disk space, and what removing some runs and what is unused would free.

        `kept` are all other runs. `unused_since` is in seconds since 1970, as for `prune_unused`. Nothing is changed.

        Raises:
            HomeError: the home cannot be read.
            UnreachableError: the cluster does not answer.
        """
