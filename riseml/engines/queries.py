"""Choices of runs and of log lines, as commands ask an engine for them."""

from datetime import datetime

from riseml.dataclass import dataclass
from riseml.ids import Id
from riseml.status import SetStatus


@dataclass(frozen=True)
class Query:
    """Choice of the runs to list: unfinished runs, or with `all` runs of any state.

    `last` limits them to the newest (0: no limit). `user` None stands for the user who
    asks, and `everyone` for all users. `experiments` adds the experiments of each run.
    Runs have all `tags`, and the `name` that their user gave them (None: any).
    """

    all: bool = False
    last: int = 0
    user: str | None = None
    everyone: bool = False
    project: str | None = None
    experiments: bool = False
    tags: tuple[str, ...] = ()
    name: str | None = None

    @property
    def limit(self) -> int | None:
        """How many runs there may be, None without a limit."""
        return self.last or None

    def selects(self, run: SetStatus) -> bool:
        """Return whether a run has the project, the name and all the tags of the query."""
        return (
            self.project in {None, run.project}
            and self.name in {None, run.marks.name}
            and set(self.tags) <= set(run.marks.tags)
        )


@dataclass(frozen=True)
class LogQuery:
    """Choice of lines: those of `id` and everything below it.

    `tail` limits them to the last lines of each job, `since` to lines that are not older.
    With `times`, chunks have times.
    """

    id: Id
    follow: bool = True
    tail: int | None = None
    since: datetime | None = None
    times: bool = False
