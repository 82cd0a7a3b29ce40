"""What runs Workflows: `argo` on a cluster, `local` as processes of this machine.

The wire to every engine is Argo's own document: a Workflow in, the same with `.status` out, as plain JSON data. An
engine keeps what it was given; it never changes the plan. One suite of contract tests runs against all of them.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from riseml.ids import Id
from riseml.status import ExperimentStatus, SetStatus

# Only `train` takes snapshots
if TYPE_CHECKING:
    from riseml.diagnosis.evidence import Evidence
    from riseml.plan import ExperimentSet
    from riseml.project import Snapshot
    from riseml.project.image_key import ImageKey
    from riseml.storage.volume import Volume

NOT_PLUGINS = frozenset({"open", "selection"})
"""Modules of this package that are not engines."""


@dataclass(frozen=True)
class Submission:
    """One `riseml train`: what to run, and the code that it runs.

    `revision` is that of a snapshot which this engine took of the plan's project. `environment` is the submitting
    process's own: jobs of the local engine run in the user's environment. `node` is the host name of the only node
    that jobs may run on, empty for any.
    """

    plan: "ExperimentSet"
    revision: str
    environment: Mapping[str, str] = field(default_factory=dict)
    node: str = ""


@dataclass(frozen=True)
class Submitted:
    """What a submission became: its number, the Workflow's name, and notes for the user (once each)."""

    number: int
    name: str
    is_set: bool
    experiments: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Query:
    """Which runs to list: unfinished ones, or with `all` of any state; the newest `last` (0: no limit) of them.

    `user` None means the asking user; `experiments` fills in each set's experiments.
    """

    all: bool = False
    last: int = 0
    user: str | None = None
    everyone: bool = False
    project: str | None = None
    experiments: bool = False


@dataclass(frozen=True)
class Chunk:
    """Bytes that a job wrote, whole lines unless `partial`; `source`: live, copy or archive."""

    job: str
    data: bytes
    partial: bool = False
    source: str = "live"


@dataclass(frozen=True)
class Change:
    """A job or experiment came into a state; `id` as in `status`, `job` empty for an experiment."""

    id: str
    state: str
    time: datetime | None = None
    reason: str = ""
    message: str = ""
    exit_code: int | None = None


@dataclass(frozen=True)
class LogQuery:
    """Which lines: of `id` and all below it; the last `tail` of each job; not older than `since`."""

    id: Id
    follow: bool = True
    tail: int | None = None
    since: datetime | None = None


class Engine(Protocol):
    """What every engine can do. All errors are RiseMLError; `number` is the user's own run unless an Id says more."""

    name: str
    user: str
    # What `prune_unused` removes, in the singular: "image" or "environment".
    build_noun: str

    def snapshot(
        self, project: str, folder: Path, *, gitignore: bool = True
    ) -> "Snapshot":
        """Bring the code of `folder` to where jobs check it out; return its revision."""

    def start(self, submission: Submission) -> Submitted:
        """Compile and submit a plan as it is; return once the run is durable. Numbers are consecutive per user."""

    def submit(self, document: dict[str, Any]) -> str:
        """Run a compiled Workflow as it is; return its name.

        Raises:
            UnsupportedError: the engine cannot run it faithfully; nothing was started.
        """

    def get(self, run: Id) -> dict[str, Any]:
        """Return the Workflow with its status.

        Raises:
            NotFoundError: no such run.
        """

    def list(self, query: Query) -> list[SetStatus]:
        """Return runs, newest first, without jobs, and with experiments only where the query asks for them."""

    def read(self, run: Id) -> SetStatus:
        """Return one run in full: `status.read` of its document, live progress, results and TensorBoard included."""

    def latest(self, project: str | None = None) -> Id:
        """Return the newest run of the user.

        Raises:
            NotFoundError: there is none.
        """

    def logs(self, query: LogQuery) -> Iterator[Chunk | Change]:
        """Replay what was written and, with `follow`, go on until everything asked for has ended.

        Changes of state come between the lines as they happened; on replay the last known ones come first. Works
        before a job starts, while it runs and after it is gone; yields chunks of many lines, never one call a line.
        """

    def changes(self, run: Id) -> Iterator[SetStatus | ExperimentStatus]:
        """Yield the run's status now and after every change until it has ended: what `wait` and `-w` stand on."""

    def stop(self, run: Id, *, force: bool = False) -> bool:
        """Kill a run or, with `run.sub`, one of its experiments; False where it had ended already."""

    def secrets(self) -> Iterable[str]:
        """Return the names of the user's secrets."""

    def set_secret(self, name: str, value: str | None) -> bool:
        """Set a secret, or forget it where `value` is None; return whether it was there before."""

    def prune_unused(self, before: float) -> int:
        """Drop what no run has used since `before` (unix seconds) and can be made anew; return how many things."""

    def delete(self, run: Id) -> None:
        """Forget an ended run: its record, its logs, its output.

        Raises:
            RiseMLError: it has not ended.
        """


@runtime_checkable
class ServesTensorBoard(Protocol):
    """What engines can do whose TensorBoards can be reached from here."""

    def tensorboard_url(self, run: Id) -> str | None:
        """Return where the TensorBoard of a run can be opened now, None where it does not run.

        It may need some more seconds before it answers.

        Raises:
            NotFoundError: no such run.
        """


@runtime_checkable
class ProvidesEvidence(Protocol):
    """What engines can do that see more around a run than its status says."""

    def evidence(self, run: Id) -> "Evidence":
        """Return what explains the state of a run, or of the part that the id names; without logs.

        Raises:
            NotFoundError: nothing has this id.
        """


@runtime_checkable
class BuildsImages(Protocol):
    """What engines can do that run install steps once for all runs that need the same."""

    def image_key(
        self,
        plan: "ExperimentSet",
        revision: str,
        environment: Mapping[str, str],
        base: str | None = None,
    ) -> "ImageKey":
        """Return the key of a plan's image for the code of a revision.

        `base` is the image that install steps start from, None for the plan's as it is now.

        Raises:
            ProjectError: the code cannot be read here.
        """

    def image(self, key: "ImageKey") -> str | None:
        """Return the image of a key, if it is there."""


@runtime_checkable
class HasVolumes(Protocol):
    """What engines can do whose volumes can be seen from here."""

    def volume(self, name: str) -> "Volume":
        """Return the volume `data` or `output`."""


@runtime_checkable
class HasLocalOutput(Protocol):
    """What engines can do whose outputs lie on this machine."""

    def folder(self, run: Id) -> Path:
        """Return where the outputs of a run lie, or with `run.sub` those of one of its experiments.

        Raises:
            NotFoundError: no such run.
        """
