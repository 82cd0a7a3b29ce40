"""Engine in memory with fixed times, for the tests of commands."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from riseml.consumption import DiskUse
from riseml.engines import Change, Chunk, LogQuery, Pruned, Query, Submission, Submitted
from riseml.errors import NotFoundError
from riseml.ids import Id
from riseml.plan import Marks, Resources
from riseml.project import Exclusion, Snapshot, snapshot
from riseml.status import ExperimentStatus, JobStatus, SetStatus, State, set_state
from riseml.storage.folder import Folder

NOW = datetime(2018, 1, 31, 12, 0, 0, tzinfo=UTC)


def ago(**duration: float) -> datetime:
    """Return the time a duration before NOW."""
    return NOW - timedelta(**duration)


def job(identifier: str, state: State = State.RUNNING, **values: Any) -> JobStatus:
    """Return a job; its type is the last word of its id."""
    words = identifier.split(".")
    index = int(words[-1]) if not words[-2].isdecimal() else None
    kind = words[-2] if index is not None else words[-1]
    resources = Resources(cpus=Decimal("1.5"), mem=512_000_000, gpus=0)
    return JobStatus(
        id=identifier,
        type=kind,
        index=index,
        state=state,
        resources=resources,
        **values,
    )


def single(number: int, state: State = State.RUNNING, **values: Any) -> SetStatus:
    """Return a run of one experiment, started ten minutes ago; it ran for one if it has ended."""
    name = str(number)
    started = None if state in {State.CREATED, State.PENDING} else ago(minutes=10)
    finished = ago(minutes=9) if state.is_terminal else None
    times: dict[str, Any] = {
        "created": ago(minutes=11),
        "started": started,
        "finished": finished,
    }
    jobs = (job(f"{name}.train", state, started=started, finished=finished),)
    one = ExperimentStatus(name, None, state, jobs=jobs, **times, **values)
    return SetStatus(
        id=name,
        name=f"toaster-net-{number}",
        user="paul",
        project="toaster-net",
        number=number,
        state=state,
        counts={state: 1},
        image="python:3.12",
        run=("python fit.py", "echo done"),
        experiments=(one,),
        **times,
    )


def with_attempts(run: SetStatus, count: int) -> SetStatus:
    """Return a run of one experiment whose job had attempts that failed, up to three."""
    (experiment,) = run.experiments
    (last,) = experiment.jobs
    last = replace(last, attempt=count - 1, max_attempts=3, started=ago(minutes=10))
    if last.state is State.FAILED:
        last = replace(last, reason="ERROR", message="exit code 3", exit_code=3)
    earlier = []
    for number in range(count - 1):
        earlier.append(
            replace(
                last,
                attempt=number,
                state=State.FAILED,
                reason="ERROR",
                message="exit code 4",
                exit_code=4,
                started=ago(minutes=30 - number),
                finished=ago(minutes=29 - number),
            )
        )
    jobs = (replace(last, earlier=tuple(earlier)),)
    return replace(run, experiments=(replace(experiment, jobs=jobs),))


def grid(
    number: int,
    states: list[State],
    results: Mapping[int, Mapping[str, Any]] | None = None,
) -> SetStatus:
    """Return a set with an experiment in each of these states, over the parameter lr."""
    name = str(number)
    experiments = tuple(
        ExperimentStatus(
            f"{name}.{sub}",
            sub,
            state,
            {"lr": f"1e-{sub}", "opt": "adam"},
            (results or {}).get(sub),
            created=ago(hours=2),
            started=None if state is State.CREATED else ago(hours=2),
            finished=ago(hours=1) if state.is_terminal else None,
            jobs=(job(f"{name}.{sub}.train", state),),
        )
        for sub, state in enumerate(states, 1)
    )
    counts = {state: states.count(state) for state in dict.fromkeys(states)}
    ended = all(state.is_terminal for state in states)
    return SetStatus(
        id=name,
        name=f"toaster-net-{number}",
        user="paul",
        project="toaster-net",
        number=number,
        is_set=True,
        state=set_state(counts),
        created=ago(hours=2),
        started=ago(hours=2),
        finished=ago(hours=1) if ended else None,
        counts=counts,
        concurrency=2,
        experiments=experiments,
    )


@dataclass
class FakeEngine:
    """Engine that answers from `runs` (newest first) and `events`, and records its `calls`."""

    runs: list[SetStatus] = field(default_factory=list)
    events: list[Chunk | Change] = field(default_factory=list)
    # Statuses that `changes` yields after the current one
    later: list[SetStatus] = field(default_factory=list)
    # The run that `start` adds; None adds an active one
    started_run: SetStatus | None = None
    notes: tuple[str, ...] = ()
    excluded: tuple[Exclusion, ...] = ()
    # How many builds `prune_unused` removes
    unused: int = 0
    warnings: tuple[str, ...] = ()
    # Whether Ctrl-C follows the events of the log
    interrupt: bool = False
    # Whether Ctrl-C follows the last status of a view
    interrupted_views: bool = False
    # After so many lists comes Ctrl-C; None: never
    interrupted_lists: int | None = None
    calls: list[tuple[Any, ...]] = field(default_factory=list)
    stored_secrets: dict[str, str] = field(default_factory=dict)
    # Folder with an output folder for each run
    outputs: Path = Path("/nowhere")
    # Folder with a volume under each name
    volumes: Path = Path("/nowhere")
    # Repository of the code of all runs
    code: Path = Path("/nowhere")
    packages_by_key: dict[str, dict[str, str]] = field(default_factory=dict)
    # What `disk_use` has measured
    space: DiskUse = field(default_factory=DiskUse)
    name: str = "fake"
    build_noun: str = "environment"
    user: str = "paul"

    def records(self, project: str | None = None) -> list[SetStatus]:
        return [run for run in self.runs if project in (None, run.project)]

    def disk_use(
        self,
        removed: Sequence[SetStatus],
        kept: Sequence[SetStatus],
        unused_since: float,
    ) -> DiskUse:
        ids = [run.id for run in removed]
        self.calls.append(("disk_use", ids, len(kept), unused_since))
        return self.space

    def release(self, run: SetStatus, jobs: Sequence[str]) -> None:
        self.calls.append(("release", run.id, list(jobs)))

    def snapshot(
        self, project: str, folder: Path, *, gitignore: bool = True
    ) -> Snapshot:
        self.calls.append(("snapshot", project, folder, gitignore))
        return Snapshot(
            "0" * 40,
            files=3,
            size=2048,
            ignored=len(self.excluded),
            warnings=self.warnings,
            excluded=self.excluded,
        )

    def record(self, project: str, folder: Path, *, gitignore: bool = True) -> Snapshot:
        self.calls.append(("record", project, folder, gitignore))
        return snapshot(folder, self.code, gitignore=gitignore, split=True)

    def repository(self, run: SetStatus) -> Path:
        return self.code

    def packages(self, run: SetStatus) -> dict[str, str] | None:
        return self.packages_by_key.get(run.image_key)

    def start(self, submission: Submission) -> Submitted:
        self.calls.append(("start", submission))
        self.runs.insert(0, self.started_run or single(14))
        return Submitted(
            14, "toaster-net-14", is_set=False, experiments=1, notes=self.notes
        )

    def submit(self, document: dict[str, Any]) -> str:
        raise NotImplementedError

    def get(self, run: Id) -> dict[str, Any]:
        raise NotImplementedError

    def list(self, query: Query) -> list[SetStatus]:
        self.calls.append(("list", query))
        lists = [call for call in self.calls if call[0] == "list"]
        if self.interrupted_lists is not None and len(lists) > self.interrupted_lists:
            raise KeyboardInterrupt
        runs = [run for run in self.runs if query.all or not run.state.is_terminal]
        runs = list(filter(query.selects, runs))
        if not query.experiments:
            runs = [replace(run, experiments=()) for run in runs]
        return runs[: query.last or None]

    def read(self, run: Id) -> SetStatus:
        for status in self.runs:
            if status.number == run.number and run.user in {None, status.user}:
                return status
        raise NotFoundError(f"no experiment {run}", "`riseml status -a` lists them.")

    def latest(self, project: str | None = None) -> Id:
        if not self.runs:
            raise NotFoundError(
                "there are no experiments yet", "`riseml train` starts one."
            )
        return Id(number=self.runs[0].number)

    def logs(self, query: LogQuery) -> Iterator[Chunk | Change]:
        self.calls.append(("logs", query))
        self.read(query.id)
        yield from self.events
        if self.interrupt:
            raise KeyboardInterrupt

    def changes(self, run: Id) -> Iterator[SetStatus | ExperimentStatus]:
        for status in [self.read(run), *self.later]:
            self.runs = [
                status if old.number == status.number else old for old in self.runs
            ]
            yield status if run.sub is None else status.experiments[run.sub - 1]
            if status.state.is_terminal:
                return

    def view(self, run: Id) -> "FakeView":
        return FakeView(self, run)

    def stop(self, run: Id, *, force: bool = False) -> bool:
        self.calls.append(("stop", str(run), force))
        return not self.read(run).state.is_terminal

    def volume(self, name: str) -> Folder:
        return Folder(self.volumes / name)

    def tensorboard_url(self, run: Id) -> str | None:
        return self.read(run).tensorboard_url

    def folder(self, run: Id) -> Path:
        return self.outputs / str(run)

    def secrets(self) -> dict[str, str]:
        return self.stored_secrets

    def set_secret(self, name: str, value: str | None) -> bool:
        existed = self.stored_secrets.pop(name, None) is not None
        if value is not None:
            self.stored_secrets[name] = value
        return existed

    def prune_unused(self, before: float) -> Pruned:
        self.calls.append(("prune_unused", before))
        return Pruned(self.unused)

    def mark(self, run: Id, marks: Marks) -> None:
        self.calls.append(("mark", str(run), marks))
        self.runs = [
            replace(status, marks=marks) if status.number == run.number else status
            for status in self.runs
        ]

    def delete(self, run: Id) -> None:
        self.calls.append(("delete", str(run)))
        self.runs = [status for status in self.runs if status.number != run.number]


class FakeView:
    """View that shows the run as it is, then each status of `later`."""

    def __init__(self, engine: FakeEngine, run: Id) -> None:
        self._engine = engine
        self._statuses = engine.changes(Id(number=run.number))
        self._latest = engine.read(run)

    def read(self) -> SetStatus:
        status = next(self._statuses, None)
        if status is None and self._engine.interrupted_views:
            raise KeyboardInterrupt
        status = status or self._latest
        assert isinstance(status, SetStatus)
        self._latest = status
        return status

    def close(self) -> None:
        self._engine.calls.append(("close",))
