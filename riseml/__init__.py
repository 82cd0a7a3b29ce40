"""RiseML: run machine-learning experiments from one file, on a laptop or as Argo Workflows on a cluster.

`riseml.Client` does what the command line does; the other classes are what its methods
return and raise. Inside a job, `riseml.report_result(accuracy=0.9)` and
`riseml.report_progress(3, 10)` report results and progress. They are the same code that
jobs without this package import.

Public names are loaded when they are first used: a command pays only for what it needs.
"""

# Typing sets the same flag, but importing it takes as long as a small command.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from riseml.client.client import Client as Client
    from riseml.client.diff import Difference as Difference
    from riseml.client.images import Explanation as Explanation
    from riseml.client.images import ImagePart as ImagePart
    from riseml.client.repeat_types import FolderCode as FolderCode
    from riseml.client.repeat_types import Grown as Grown
    from riseml.client.repeat_types import Repetition as Repetition
    from riseml.client.results import Results as Results
    from riseml.client.tensorboard import TensorBoard as TensorBoard
    from riseml.client.types import Killed as Killed
    from riseml.client.types import Overrides as Overrides
    from riseml.client.types import RunHandle as RunHandle
    from riseml.consumption import UsageReport as UsageReport
    from riseml.diagnosis import Cause as Cause
    from riseml.doctor import Finding as Finding
    from riseml.engines import Change as Change
    from riseml.engines import Chunk as Chunk
    from riseml.engines import Engine as Engine
    from riseml.engines import Pruned as Pruned
    from riseml.engines import Submitted as Submitted
    from riseml.errors import ChangedMeanwhileError as ChangedMeanwhileError
    from riseml.errors import ConfigError as ConfigError
    from riseml.errors import DamagedDatabaseError as DamagedDatabaseError
    from riseml.errors import DamagedError as DamagedError
    from riseml.errors import DiskFullError as DiskFullError
    from riseml.errors import Fault as Fault
    from riseml.errors import HomeError as HomeError
    from riseml.errors import InvalidInputError as InvalidInputError
    from riseml.errors import NotAllowedError as NotAllowedError
    from riseml.errors import NotFoundError as NotFoundError
    from riseml.errors import OtherCodeError as OtherCodeError
    from riseml.errors import ProjectError as ProjectError
    from riseml.errors import RiseMLError as RiseMLError
    from riseml.errors import TimedOutError as TimedOutError
    from riseml.errors import UnreachableError as UnreachableError
    from riseml.errors import UnsupportedError as UnsupportedError
    from riseml.ids import Id as Id
    from riseml.plan import Experiment as Experiment
    from riseml.plan import ExperimentSet as ExperimentSet
    from riseml.plan import Job as Job
    from riseml.plan import Marks as Marks
    from riseml.plan import Resources as Resources
    from riseml.plan import Retries as Retries
    from riseml.project import Exclusion as Exclusion
    from riseml.project import Snapshot as Snapshot
    from riseml.project import Survey as Survey
    from riseml.readings import GpuUsage as GpuUsage
    from riseml.readings import JobUsage as JobUsage
    from riseml.settings import Settings as Settings
    from riseml.status import ExperimentStatus as ExperimentStatus
    from riseml.status import JobStatus as JobStatus
    from riseml.status import SetStatus as SetStatus
    from riseml.status import ShardStatus as ShardStatus
    from riseml.status import State as State
    from riseml.storage.transfer import CopyReport as CopyReport
    from riseml.storage.uris import Location as Location
    from riseml.storage.volume import Entry as Entry
    from riseml.usage import Usage as Usage

    __version__: str

    def report_result(**values: object) -> None:
        """Report values by name; they are added to those of earlier calls. Outside of a job, nothing happens."""

    def report_progress(done: float, total: float) -> None:
        """Report that `done` of `total` is done. Outside of a job, nothing happens."""

    def experiment_id() -> str | None:
        """Return the id of the experiment that this process belongs to, None outside of one."""

    def should_stop() -> bool:
        """Return whether a search stops this experiment, since others are better."""


__all__ = [
    "Cause",
    "Change",
    "ChangedMeanwhileError",
    "Chunk",
    "Client",
    "ConfigError",
    "CopyReport",
    "DamagedDatabaseError",
    "DamagedError",
    "Difference",
    "DiskFullError",
    "Engine",
    "Entry",
    "Exclusion",
    "Experiment",
    "ExperimentSet",
    "ExperimentStatus",
    "Explanation",
    "Fault",
    "Finding",
    "FolderCode",
    "GpuUsage",
    "Grown",
    "HomeError",
    "Id",
    "ImagePart",
    "InvalidInputError",
    "Job",
    "JobStatus",
    "JobUsage",
    "Killed",
    "Location",
    "Marks",
    "NotAllowedError",
    "NotFoundError",
    "OtherCodeError",
    "Overrides",
    "ProjectError",
    "Pruned",
    "Repetition",
    "Resources",
    "Results",
    "Retries",
    "RiseMLError",
    "RunHandle",
    "SetStatus",
    "Settings",
    "ShardStatus",
    "Snapshot",
    "State",
    "Submitted",
    "Survey",
    "TensorBoard",
    "TimedOutError",
    "UnreachableError",
    "UnsupportedError",
    "Usage",
    "UsageReport",
    "__version__",
    "experiment_id",
    "report_progress",
    "report_result",
    "should_stop",
]

_MODULES = {
    "Client": "riseml.client.client",
    "Difference": "riseml.client.diff",
    "Explanation": "riseml.client.images",
    "ImagePart": "riseml.client.images",
    "Results": "riseml.client.results",
    "TensorBoard": "riseml.client.tensorboard",
    "Killed": "riseml.client.types",
    "Repetition": "riseml.client.repeat_types",
    "Grown": "riseml.client.repeat_types",
    "FolderCode": "riseml.client.repeat_types",
    "Overrides": "riseml.client.types",
    "RunHandle": "riseml.client.types",
    "Cause": "riseml.diagnosis",
    "Finding": "riseml.doctor",
    "Change": "riseml.engines",
    "Chunk": "riseml.engines",
    "Engine": "riseml.engines",
    "Pruned": "riseml.engines",
    "Submitted": "riseml.engines",
    "ConfigError": "riseml.errors",
    "DamagedDatabaseError": "riseml.errors",
    "DamagedError": "riseml.errors",
    "DiskFullError": "riseml.errors",
    "OtherCodeError": "riseml.errors",
    "ChangedMeanwhileError": "riseml.errors",
    "Fault": "riseml.errors",
    "HomeError": "riseml.errors",
    "InvalidInputError": "riseml.errors",
    "NotAllowedError": "riseml.errors",
    "NotFoundError": "riseml.errors",
    "ProjectError": "riseml.errors",
    "RiseMLError": "riseml.errors",
    "TimedOutError": "riseml.errors",
    "UnreachableError": "riseml.errors",
    "UnsupportedError": "riseml.errors",
    "Id": "riseml.ids",
    "Experiment": "riseml.plan",
    "ExperimentSet": "riseml.plan",
    "Job": "riseml.plan",
    "Marks": "riseml.plan",
    "Resources": "riseml.plan",
    "Retries": "riseml.plan",
    "Exclusion": "riseml.project",
    "Snapshot": "riseml.project",
    "Survey": "riseml.project",
    "Settings": "riseml.settings",
    "UsageReport": "riseml.consumption",
    "ExperimentStatus": "riseml.status",
    "JobStatus": "riseml.status",
    "SetStatus": "riseml.status",
    "ShardStatus": "riseml.status",
    "State": "riseml.status",
    "CopyReport": "riseml.storage.transfer",
    "Location": "riseml.storage.uris",
    "Entry": "riseml.storage.volume",
    "GpuUsage": "riseml.readings",
    "JobUsage": "riseml.readings",
    "Usage": "riseml.usage",
}
# These come from the file that jobs import as `riseml`.
_IN_JOBS = frozenset(
    {"experiment_id", "report_progress", "report_result", "should_stop"}
)


def __getattr__(name: str) -> object:
    """Load a public name when it is first used."""
    if name == "__version__":
        globals()[name] = _version()
    elif name in _IN_JOBS:
        globals().update(_job_library())
    elif name in _MODULES:
        from importlib import import_module  # noqa: PLC0415

        globals()[name] = getattr(import_module(_MODULES[name]), name)
    else:
        raise AttributeError(f"module 'riseml' has no attribute '{name}'")
    return globals()[name]


def __dir__() -> list[str]:
    """Return all names, including public ones that are not loaded yet."""
    return sorted({*globals(), *__all__})


def _version() -> str:
    """Return the version, which each build takes from the tags of Git and writes into a file."""
    try:
        with open(f"{__path__[0]}/version.txt", encoding="utf-8") as file:  # noqa: PTH123
            return file.read().strip()
    except FileNotFoundError:
        # A checkout that nobody has installed
        return "0+unknown"


def _job_library() -> dict[str, object]:
    from riseml import templating  # noqa: PLC0415

    path = templating.folder() / "library/riseml.py"
    library: dict[str, object] = {"__name__": "riseml"}
    # The file is RiseML's own, but not a module of this package: jobs import it without one.
    exec(compile(path.read_bytes(), str(path), "exec"), library)  # noqa: S102
    return {name: library[name] for name in _IN_JOBS}
