"""Engines, which run Workflows: `argo` on a cluster, `local` as processes of this machine.

    plan ──start──▶ engine ──get──▶ Workflow with `.status` ──status.read──▶ SetStatus

The wire format of every engine is Argo's own document: a Workflow in, the same with
`.status` out, as plain JSON data. An engine keeps what it was given and never changes the
plan. An engine is one module, which `open.py` finds by name. It provides `Engine`, and
what it can of the protocols in `capabilities.py`. One suite of contract tests (`tests/contract`) runs
against both engines.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from riseml.dataclass import dataclass, field
from riseml.engines.queries import LogQuery as LogQuery
from riseml.engines.queries import Query as Query
from riseml.ids import Id
from riseml.plan import NO_MARKS, Marks
from riseml.status import ExperimentStatus, SetStatus

# Few commands need these, and each takes time to load.
if TYPE_CHECKING:
    from riseml.engines.capabilities import RunnerChoice
    from riseml.plan import ExperimentSet, GitState
    from riseml.project import Snapshot

NOT_PLUGINS = frozenset(
    {
        "access",
        "capabilities",
        "code",
        "join_script",
        "log_index",
        "open",
        "pumps",
        "queries",
        "selection",
        "terminal",
        "views",
    }
)
"""Modules of this package that are not engines."""


@dataclass(frozen=True)
class Growth:
    """The run that gets the experiments of a submission, instead of a new one.

    They become its Workflow number `shard`, the one after the last that the submitter
    knows. So of two commands that repeat the same experiment at once, one is refused.
    """

    number: int
    shard: int


@dataclass(frozen=True)
class Submission:
    """One `riseml train`: what to run, and the code that it runs.

    `revision` is that of a snapshot which this engine took of the plan's project.
    `environment` is that of the submitting process: jobs of the local engine run in the
    user's environment. `excluded` are the paths that each ignore file left out of the
    code, `git` is the user's own repository. `marks` are those of a new run. `node` is
    the host name of the only node on which jobs may run, empty for any. `into` is the run
    that gets the experiments, None for a new one. `base` is the image that install steps
    start from, empty for what the plan's image is now. `runner` is what the user named to run
    the jobs on one machine, or what ran those of an earlier run; empty follows the settings.
    """

    plan: "ExperimentSet"
    revision: str
    environment: Mapping[str, str] = field(default_factory=dict)
    node: str = ""
    excluded: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    git: "GitState | None" = None
    into: Growth | None = None
    base: str = ""
    marks: Marks = NO_MARKS
    runner: str = ""


@dataclass(frozen=True)
class Submitted:
    """Result of a submission: the run's number, its Workflow's name, and its size.

    `notes` are sentences for the user, which an engine returns once each. `runner` is what
    runs the jobs on one machine, None on a cluster. With `prepares`, an image is pulled or
    install steps run before the jobs.
    """

    number: int
    name: str
    is_set: bool
    experiments: int
    notes: tuple[str, ...] = ()
    runner: "RunnerChoice | None" = None
    prepares: bool = False


@dataclass(frozen=True)
class Chunk:
    """Bytes that an attempt of a job wrote: complete lines, or with `partial` the start of one.

    `source` is `live`, `copy` or `archive`, and `attempt` counts from 0. `time` is when
    the lines were written, as exactly as the engine knows it; None if it does not, or
    if the query did not ask for times.
    """

    job: str
    data: bytes
    partial: bool = False
    source: str = "live"
    attempt: int = 0
    time: datetime | None = None


@dataclass(frozen=True)
class Change:
    """Change of a job, an experiment or a run to a new state.

    `id` is its canonical id, as in its status. `exit_code` is None for a run, and before
    the end.
    """

    id: str
    state: str
    time: datetime | None = None
    reason: str = ""
    message: str = ""
    exit_code: int | None = None


@dataclass(frozen=True)
class Pruned:
    """How many builds were removed, and sentences about what else was, or why not."""

    builds: int
    notes: tuple[str, ...] = ()


class Engine(Protocol):
    """What every engine provides.

    All errors are RiseMLErrors. An Id without a user names a run of the user who asks.
    Methods that read may be called at any time and any number of times: they change
    nothing that a user can see. Threads share an engine, also while one of them waits,
    and a process that was forked goes on using it.
    """

    name: str
    """The name of the engine's module."""
    user: str
    """The user who asks, as runs name their owner."""
    build_noun: str
    """What `prune_unused` removes, in the singular: "image" or "environment"."""

    def snapshot(
        self, project: str, folder: Path, *, gitignore: bool = True
    ) -> "Snapshot":
        """Bring the code of `folder` to where jobs check it out; return its revision.

        Called before `start`, and again for each run. The same content has the same
        revision, and only what changed is copied.

        Raises:
            ProjectError: something in the folder cannot be read.
            HomeError: the home cannot be written.
        """

    def start(self, submission: Submission) -> Submitted:
        """Compile and submit a plan, which the engine must not change.

        Returns once the run is durable: it starts even if this process ends now. Each
        call starts another run. Numbers of a user's runs are consecutive and never used
        twice. If the plan is refused, no number is used.

        Raises:
            ChangedMeanwhileError: the run that gets the experiments has changed.
            InvalidInputError: a secret is not set, or a value cannot be passed on.
            UnsupportedError: the engine cannot run the plan faithfully.
        """

    def submit(self, document: dict[str, Any]) -> str:
        """Run a compiled Workflow as it is; return its name.

        Raises:
            UnsupportedError: the engine cannot run it faithfully; nothing was started.
        """

    def get(self, run: Id) -> dict[str, Any]:
        """Return the Workflow of a run with its status.

        Raises:
            NotFoundError: there is no such run.
        """

    def list(self, query: Query) -> list[SetStatus]:
        """Return runs, newest first, without jobs.

        Experiments are included only if the query asks for them, so that lists of many
        runs stay fast.

        Raises:
            NotAllowedError: the user may not see other users' runs.
            NotFoundError: there is no user of the query's name.
        """

    def read(self, run: Id) -> SetStatus:
        """Return the complete status of one run.

        That is `status.read` of its document, with live progress, results and the
        address of its TensorBoard. It works as long as the run is not deleted.

        Raises:
            NotFoundError: there is no such run.
        """

    def latest(self, project: str | None = None) -> Id:
        """Return the newest run of the user, in a project if one is given.

        Raises:
            NotFoundError: there is none.
        """

    def logs(self, query: LogQuery) -> Iterator[Chunk | Change]:
        """Replay what was written and, with `follow`, continue until everything has ended.

        Changes of state come between the lines as they happened; on replay the last known
        changes come first. It works before a job starts, while it runs and after it is
        gone. A chunk holds many lines: unless the query asks for times, an engine must not
        yield each line separately. The caller may stop at any time by closing the iterator.

        Raises:
            NotFoundError: nothing has the query's id.
        """

    def changes(self, run: Id) -> Iterator[SetStatus | ExperimentStatus]:
        """Yield the status of a run or experiment now and after every change.

        The iterator ends after a terminal state, so `wait` and `status -w` rely on it. It
        survives short outages of the engine.

        Raises:
            NotFoundError: there is no such run or experiment.
        """

    def stop(self, run: Id, *, force: bool = False) -> bool:
        """Kill a run or, with `run.sub`, one of its experiments.

        Returns False if it had already ended and nothing is left to stop, so it may be
        called twice. With `force`, processes get no time to end by themselves.

        Raises:
            NotFoundError: there is no such run or experiment.
        """

    def secrets(self) -> Iterable[str]:
        """Return the names of the user's secrets. Values are never returned."""

    def set_secret(self, name: str, value: str | None) -> bool:
        """Set a secret, or remove it if `value` is None; return whether it existed.

        May be called twice with the same value; removing an absent secret is no error.
        """

    def prune_unused(self, before: float) -> Pruned:
        """Remove what no run has used since `before` (Unix seconds); return what it was.

        Only what can be made again is removed: environments or images, and code without
        runs. Nothing that an active run may use is removed. May be called twice.
        """

    def delete(self, run: Id) -> None:
        """Remove an ended run: its record, its logs, its output.

        Raises:
            NotFoundError: there is no such run.
            RiseMLError: it has not ended; nothing was removed.
        """
