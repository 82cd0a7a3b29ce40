"""An engine in memory with fixed times, for the commands' tests."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from riseml.engines import Change, Chunk, LogQuery, Query, Submission, Submitted
from riseml.errors import NotFoundError
from riseml.ids import Id
from riseml.plan import Resources
from riseml.project import Snapshot
from riseml.status import ExperimentStatus, JobStatus, SetStatus, State, set_state
from riseml.storage.folder import Folder

NOW = datetime(2018, 1, 31, 12, 0, 0, tzinfo=UTC)


def at(**before: float) -> datetime:
    """Return the time so long before NOW."""
    return NOW - timedelta(**before)


def job(identifier: str, state: State = State.RUNNING, **values: Any) -> JobStatus:
    """Return a job; its type is the last word of its id."""
    words = identifier.split(".")
    index = int(words[-1]) if not words[-2].isdecimal() else None
    kind = words[-2] if index is not None else words[-1]
    asked = Resources(cpus=Decimal("1.5"), mem=512_000_000, gpus=0)
    return JobStatus(
        id=identifier, type=kind, index=index, state=state, resources=asked, **values
    )


def single(number: int, state: State = State.RUNNING, **values: Any) -> SetStatus:
    """Return a run without a grid, which began ten minutes ago and lasted one where it has ended."""
    name = str(number)
    started = None if state in {State.CREATED, State.PENDING} else at(minutes=10)
    finished = at(minutes=9) if state.is_terminal else None
    times: dict[str, Any] = {
        "created": at(minutes=11),
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


def grid(
    number: int,
    states: list[State],
    results: Mapping[int, Mapping[str, Any]] | None = None,
) -> SetStatus:
    """Return a set with one experiment for each state, over the parameter lr."""
    name = str(number)
    cells = tuple(
        ExperimentStatus(
            f"{name}.{sub}",
            sub,
            state,
            {"lr": f"1e-{sub}", "opt": "adam"},
            (results or {}).get(sub),
            created=at(hours=2),
            started=None if state is State.CREATED else at(hours=2),
            finished=at(hours=1) if state.is_terminal else None,
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
        created=at(hours=2),
        started=at(hours=2),
        finished=at(hours=1) if ended else None,
        counts=counts,
        concurrency=2,
        experiments=cells,
    )


@dataclass
class FakeEngine:
    """Answers from `runs` (newest first) and `events`; remembers what it was asked for in `calls`."""

    runs: list[SetStatus] = field(default_factory=list)
    events: list[Chunk | Change] = field(default_factory=list)
    later: list[SetStatus] = field(
        default_factory=list
    )  # what `changes` yields after the present
    becomes: SetStatus | None = None  # what `start` starts
    notes: tuple[str, ...] = ()
    ignored: int = 0
    unused: int = 0  # what `tidy` drops
    warnings: tuple[str, ...] = ()
    interrupt: bool = False  # Ctrl-C after the events
    calls: list[tuple[Any, ...]] = field(default_factory=list)
    kept: dict[str, str] = field(default_factory=dict)  # secrets
    outputs: Path = Path("/nowhere")  # where the output folders lie
    volumes: Path = Path("/nowhere")  # where the volumes lie, each under its name
    name: str = "fake"
    build_noun: str = "environment"
    user: str = "paul"

    def snapshot(
        self, project: str, folder: Path, *, gitignore: bool = True
    ) -> Snapshot:
        self.calls.append(("snapshot", project, folder, gitignore))
        return Snapshot(
            "0" * 40, files=3, size=2048, ignored=self.ignored, warnings=self.warnings
        )

    def start(self, submission: Submission) -> Submitted:
        self.calls.append(("start", submission))
        self.runs.insert(0, self.becomes or single(14))
        return Submitted(
            14, "toaster-net-14", is_set=False, experiments=1, notes=self.notes
        )

    def submit(self, document: dict[str, Any]) -> str:
        raise NotImplementedError

    def get(self, run: Id) -> dict[str, Any]:
        raise NotImplementedError

    def list(self, query: Query) -> list[SetStatus]:
        self.calls.append(("list", query))
        runs = [run for run in self.runs if query.all or not run.state.is_terminal]
        runs = [run for run in runs if query.project in {None, run.project}]
        if not query.experiments:
            runs = [replace(run, experiments=()) for run in runs]
        return runs[: query.last or None]

    def read(self, run: Id) -> SetStatus:
        for each in self.runs:
            if each.number == run.number and run.user in {None, each.user}:
                return each
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
        for each in [self.read(run), *self.later]:
            self.runs = [
                each if old.number == each.number else old for old in self.runs
            ]
            yield each if run.sub is None else each.experiments[run.sub - 1]
            if each.state.is_terminal:
                return

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
        return self.kept

    def set_secret(self, name: str, value: str | None) -> bool:
        known = self.kept.pop(name, None) is not None
        if value is not None:
            self.kept[name] = value
        return known

    def prune_unused(self, before: float) -> int:
        self.calls.append(("tidy", before))
        return self.unused

    def delete(self, run: Id) -> None:
        self.calls.append(("delete", str(run)))
        self.runs = [each for each in self.runs if each.number != run.number]
