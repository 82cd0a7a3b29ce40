"""Usage: the hours of GPUs and cores that runs have had, and the disk space that they take.

    records of runs ──hours──▶ GPU hours, CPU hours ─┐
    folders of an engine ──disk──▶ bytes by run ─────┴─▶ UsageReport

An engine measures disk space; the rest is the same for all.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from riseml.dataclass import dataclass, field
from riseml.status import State


@dataclass(frozen=True)
class Disk:
    """Disk space in bytes, as the blocks of files; a file with several names counts once.

    `outputs` is what runs have written, with their logs. `code` is all snapshots, each
    file once, and checkouts of them. `builds` is what install steps have made. `other` is
    the list of runs, and what belongs to no run.
    """

    outputs: int = 0
    code: int = 0
    builds: int = 0
    other: int = 0

    @property
    def total(self) -> int:
        """All kinds together."""
        return self.outputs + self.code + self.builds + self.other


@dataclass(frozen=True)
class DiskUse:
    """What an engine has measured: outputs by the id of the run, code by project.

    `last_number` is the highest number that a run has got, also one that was deleted.
    `freed` is what removing the runs in question, and what is unused, would free, with
    the number of `unused_builds`. `notes` are sentences about what was not measured.
    """

    outputs: Mapping[str, int] = field(default_factory=dict)
    code: Mapping[str, int] = field(default_factory=dict)
    builds: int = 0
    build_count: int = 0
    other: int = 0
    last_number: int = 0
    freed: Disk = Disk()
    unused_builds: int = 0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class RunUsage:
    """What a run has used; hours are those of the requested GPUs and cores."""

    id: str
    project: str
    state: State
    gpu_hours: float
    cpu_hours: float
    outputs: int


@dataclass(frozen=True)
class ProjectUsage:
    """What the runs of a project have used together; runs share the space of its code."""

    project: str
    runs: int
    gpu_hours: float
    cpu_hours: float
    outputs: int
    code: int


@dataclass(frozen=True)
class Prunable:
    """What `riseml prune` would free now: runs by id, oldest first, and disk space."""

    older_than: timedelta
    runs: tuple[str, ...]
    disk: Disk
    builds: int


@dataclass(frozen=True)
class UsageReport:
    """What runs have used between `since` (None: ever) and `until`.

    `runs` are the newest first. `projects` are those with the most GPU hours first. Disk
    space is what is taken now. `prunable` is None for a single project, since `prune` is
    for all. `notes` are sentences about what is not counted.
    """

    since: datetime | None
    until: datetime
    runs: tuple[RunUsage, ...]
    projects: tuple[ProjectUsage, ...]
    disk: Disk
    builds: int
    build_noun: str
    prunable: Prunable | None = None
    notes: tuple[str, ...] = ()

    @property
    def gpu_hours(self) -> float:
        """The GPU hours of all runs."""
        return sum((run.gpu_hours for run in self.runs), start=0.0)

    @property
    def cpu_hours(self) -> float:
        """The CPU hours of all runs."""
        return sum((run.cpu_hours for run in self.runs), start=0.0)
