"""Test bench for an engine: a project folder and the steps of every contract test."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent

from riseml import config, planner
from riseml.engines import Change, Chunk, Engine, LogQuery, Query, Submission, Submitted
from riseml.ids import Id
from riseml.project.excluded import named
from riseml.status import ExperimentStatus, SetStatus


@dataclass
class Bench:
    """Engine and a project folder.

    `image` has a shell and Python. `patience` is much longer than anything takes, in
    seconds. `environment` is that of local jobs.
    """

    engine: Engine
    folder: Path
    image: str
    patience: float
    project: str = "lab"
    environment: dict[str, str] = field(default_factory=dict)

    def write(self, files: dict[str, str]) -> None:
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(dedent(text))

    def train(self, text: str) -> Submitted:
        """Start a riseml.yml, given the text below `train:`."""
        text_ = f"project: {self.project}\ntrain:\n  image: {self.image}\n" + "".join(
            f"  {line}\n" for line in dedent(text).strip().splitlines()
        )
        if "resources:" not in text_:
            text_ += "  resources: {cpus: 0.02, mem: 256}\n"
        plan = planner.plan(config.load_text(text_))
        snapshot = self.engine.snapshot(self.project, self.folder)
        return self.engine.start(
            Submission(
                plan,
                snapshot.revision,
                self.environment,
                excluded=named(snapshot.excluded),
            )
        )

    def wait(self, run: Id | int) -> SetStatus | ExperimentStatus:
        """Wait until a run or an experiment has ended."""
        for status in self.engine.changes(self.id(run)):
            last = status
        return last

    def run(self, text: str) -> SetStatus:
        """Train, wait until the run has ended, and return its status."""
        number = self.train(text).number
        self.wait(number)
        return self.engine.read(Id(number=number))

    def events(
        self, run: Id | int, *, follow: bool = False, tail: int | None = None
    ) -> list[Chunk | Change]:
        return list(self.engine.logs(LogQuery(self.id(run), follow=follow, tail=tail)))

    def log(
        self, run: Id | int, *, follow: bool = False, tail: int | None = None
    ) -> str:
        """Return all lines of a run, an experiment or a job."""
        events = self.events(run, follow=follow, tail=tail)
        return b"".join(
            event.data for event in events if isinstance(event, Chunk)
        ).decode()

    def until_logged(self, run: Id | int, text: str) -> None:
        self.until(lambda: text in self.log(run), f"{text} in the log of {run}")

    def until(self, happened: Callable[[], object], description: str = "") -> None:
        limit = time.monotonic() + self.patience
        while not happened():
            assert time.monotonic() < limit, (
                f"did not happen: {description or happened}"
            )
            time.sleep(0.1)

    def listed(self, **query: object) -> list[int]:
        return [run.number or 0 for run in self.engine.list(Query(**query))]  # type: ignore[arg-type]

    @staticmethod
    def id(run: Id | int) -> Id:
        return Id(number=run) if isinstance(run, int) else run
