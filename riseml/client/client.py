"""Python API of RiseML: the commands as methods, with the same names and typed results.

    client = riseml.Client()
    run = client.train("riseml.yml")
    client.wait(run.id)
    print(client.results(run.id, sort="accuracy").best)

All errors are `riseml.errors.RiseMLError`. Ids are text as on the command line (`14`,
`14.3`, `14.3.train`); None stands for the user's newest run.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from riseml.client import (
    cleanup,
    explain,
    lifecycle,
    project_folder,
)
from riseml.client import secrets as secrets_
from riseml.client.access_methods import AccessMethods
from riseml.client.config_methods import ConfigMethods
from riseml.client.context import ClientContext
from riseml.client.file_methods import FileMethods
from riseml.client.hold_methods import HoldMethods
from riseml.client.monitor_methods import MonitorMethods
from riseml.client.repeat_methods import RepeatMethods
from riseml.client.types import Killed, Pruned
from riseml.client.usage_methods import UsageMethods
from riseml.engines import Change, Chunk, Engine, LogQuery, Query
from riseml.engines.capabilities import KnowsLogins
from riseml.ids import Id, is_word
from riseml.plan import Marks
from riseml.settings import Settings
from riseml.status import ExperimentStatus, JobStatus, SetStatus
from riseml.status.select import pick

if TYPE_CHECKING:
    from riseml.client.diff import Difference
    from riseml.client.results import Results
    from riseml.client.tensorboard import TensorBoard
    from riseml.diagnosis import Cause
    from riseml.doctor import Finding


class Client(
    AccessMethods,
    ConfigMethods,
    FileMethods,
    HoldMethods,
    MonitorMethods,
    RepeatMethods,
    UsageMethods,
):
    """RiseML with one home, or with an engine of your own.

    `home` is the directory of the local engine (None: RISEML_HOME, or ~/.riseml). Nothing
    is opened before it is needed; `check`, `plan` and `compile` need no engine.
    """

    def __init__(
        self, home: str | Path | None = None, engine: Engine | None = None
    ) -> None:
        self._context = ClientContext(home, engine)

    @property
    def settings(self) -> Settings:
        """The settings that hold for this user in the current folder."""
        return self._context.settings

    @property
    def engine(self) -> Engine:
        """The engine that runs the experiments."""
        return self._context.engine

    def whoami(self) -> str:
        """Return the name of the current user."""
        return self.engine.user

    def login(self) -> str:
        """Return the name by which a cluster knows this person, empty on this machine.

        Several people may share a user.

        Raises:
            RiseMLError: the cluster does not answer.
        """
        engine = self.engine
        return engine.login() if isinstance(engine, KnowsLogins) else ""

    # Runs

    def runs(
        self,
        *,
        all: bool = False,
        last: int = 0,
        user: str | None = None,
        everyone: bool = False,
        project: str | None = None,
        experiments: bool = False,
        tags: Iterable[str] = (),
        name: str | None = None,
    ) -> list[SetStatus]:
        """Return unfinished runs, or with `all` the `last` ones (0: no limit), newest first.

        They have all `tags`, and the `name` that `train` or `mark` gave them.

        Raises:
            NotAllowedError: you may not see other users' runs.
        """
        query = Query(
            all, last, user, everyone, project, experiments, tuple(tags), name
        )
        return self.engine.list(query)

    def read(self, id: str | Id | None = None) -> SetStatus:
        """Return the run that an id belongs to, with all its experiments.

        Raises:
            NotFoundError: there is no such run.
        """
        return self._context.read(id)

    def find_id(self, id: str | None = None) -> Id:
        """Return what an id or the name of a run stands for; None is the newest run.

        Raises:
            InvalidInputError: the text is neither, or is the id of a user.
            NotFoundError: the user has no run.
        """
        return self._context.find_id(id)

    def named(self, name: str) -> Id | None:
        """Return the id of the user's run of this name, None if there is none.

        Raises:
            InvalidInputError: several runs have the name.
        """
        return self._context.named(name) if is_word(name) else None

    def status(
        self, id: str | Id | None = None
    ) -> SetStatus | ExperimentStatus | JobStatus:
        """Return one run, experiment of a set, or job in full.

        Raises:
            InvalidInputError: the text is not an id, or is the id of a user.
            NotFoundError: nothing has this id; the advice lists the ids that exist.
        """
        subject = self._context.find_id(id)
        if subject.sub is None:
            return pick(self.read(subject), subject)
        from riseml.client.views import read_brief

        # The set may have thousands of other experiments.
        return pick(read_brief(self.engine, subject), subject)

    def changes(
        self, id: str | Id | None = None, *, tick: float | None = None
    ) -> Iterator[SetStatus | ExperimentStatus | None]:
        """Yield the status of a run or experiment now, and after each change until it ends.

        With `tick`, yield None whenever nothing has changed for that many seconds.

        Raises:
            NotFoundError: nothing has this id.
        """
        experiment = self._context.find_id(id).experiment
        yield from lifecycle.changes(self._context, experiment, tick)

    def logs(
        self,
        id: str | Id | None = None,
        *,
        follow: bool = True,
        tail: int | None = None,
        since: datetime | None = None,
        times: bool = False,
    ) -> Iterator[Chunk | Change]:
        """Yield the output of the jobs of an id, and their changes of state.

        `tail` limits each job to its last lines, `since` to lines that are not older.
        With `times`, each chunk has the time at which its lines were written.

        Raises:
            NotFoundError: nothing has this id.
        """
        subject = self._context.find_id(id)
        query = LogQuery(subject, follow, tail, since, times)
        yield from self.engine.logs(query)

    def kill(self, *names: str | Id, force: bool = False) -> list[Killed]:
        """Stop runs or experiments; without ids, stop the newest run.

        `force` also removes jobs that do not respond.

        Raises:
            InvalidInputError: an id is not an experiment's; nothing was killed.
            NotFoundError: nothing has an id, or nothing is running; nothing was killed.
        """
        return lifecycle.kill(self._context, names, force=force)

    def mark(
        self,
        *names: str | Id,
        name: str | None = None,
        add: Iterable[str] = (),
        remove: Iterable[str] = (),
        note: str | None = None,
    ) -> dict[str, Marks]:
        """Change names, tags or notes of runs, also of ended ones; return all, by id.

        None leaves the name or note as it is, and "" removes it.

        Raises:
            InvalidInputError: it is not the id of a run, or a name or tag is not valid.
            NotFoundError: nothing has this id.
        """
        from riseml.client import run_marks

        return run_marks.change(
            self._context, names, name=name, add=add, remove=remove, note=note
        )

    def wait(
        self,
        *names: str | Id,
        timeout: timedelta | None = None,
        on_hold: Callable[[ExperimentStatus], None] | None = None,
    ) -> list[SetStatus | ExperimentStatus]:
        """Return how runs or experiments (default: the newest run) ended, in their order.

        `on_hold` gets each experiment that is held after a failure, once for each attempt.

        Raises:
            InvalidInputError: an id is not an experiment's.
            NotFoundError: nothing has an id.
            TimedOutError: not all ended within `timeout`; they keep running.
        """
        return lifecycle.wait(self._context, names, timeout, on_hold)

    def results(
        self,
        *names: str | Id | None,
        project: str | None = None,
        tags: Iterable[str] = (),
        where: str | None = None,
        columns: Sequence[str] = (),
        sort: str | None = None,
        largest: bool | None = None,
        top: int | None = None,
    ) -> "Results":
        """Return the table of the results of runs; see `riseml.client.results.tabulate`.

        Without ids it has the newest run, or all runs of a `project` that have all `tags`.

        Raises:
            InvalidInputError: an id is not a run's, a name unknown, or `where` no filter.
            NotFoundError: nothing has an id, or no run has the project and the tags.
        """
        from riseml.client import result_runs, results

        query = Query(all=True, project=project, tags=tuple(tags))
        runs = result_runs.read(self._context, names, query)
        table = results.tabulate(
            runs, sort=sort, largest=largest, top=top, where=where, columns=columns
        )
        if table.metrics:
            return table
        return results.with_suggestions(table, self.engine)

    def diff(
        self,
        old: str | Id,
        new: str | Id | None = None,
        *,
        path: str | Path | None = None,
        gitignore: bool | None = None,
    ) -> "Difference":
        """Return what differs between two runs or experiments.

        Without `new`, `old` is compared with the project's folder as it is now: that of the
        riseml.yml at `path` (None: the nearest). `gitignore` None follows the settings.

        Raises:
            InvalidInputError, NotFoundError: an id is not a run's or an experiment's.
            ProjectError, HomeError: the folder cannot be read or stored.
        """
        from riseml.client import diff

        file = path or project_folder.config_file()
        return diff.difference(self._context, old, new, file, gitignore=gitignore)

    def report(self, *names: str | Id, metric: str | None = None) -> str:
        """Return an HTML page about runs or experiments (default: the newest run).

        `metric` is the result that compares experiments; None stands for the first one
        that has a mode in riseml.yml.

        Raises:
            InvalidInputError: no result is called `metric`.
            NotFoundError: nothing has an id.
            RiseMLError: Plotly is not installed.
        """
        from riseml.client import report

        return report.report(self._context, names, metric)

    def why(self, id: str | Id | None = None) -> "list[Cause]":
        """Explain why a run, experiment or job waits or ended, and suggest fixes.

        Raises:
            NotFoundError: nothing has this id.
        """
        return explain.why(self._context, id)

    def tensorboard(
        self,
        id: str | Id | None = None,
        *,
        port: int = 0,
        on_note: Callable[[str], None] | None = None,
    ) -> "TensorBoard":
        """Return a TensorBoard once it answers: the run's own, or one over its output.

        A `with` statement ends a local one, at `port` (0: any). `on_note` gets progress.

        Raises:
            NotFoundError: nothing has this id, or it has no output.
            RiseMLError: TensorBoard is not installed, or it failed.
        """
        return explain.tensorboard(self._context, id, port, on_note)

    def output(self, id: str | Id | None = None) -> Path:
        """Return the folder on this machine with the output of a run or experiment.

        Raises:
            NotFoundError: nothing has this id.
            UnsupportedError: the engine keeps it on other machines.
        """
        return explain.output(self._context, id)

    def delete(self, *names: str | Id, kill: bool = False) -> list[str]:
        """Delete runs with logs and output, all or none; return their ids.

        `kill` kills those that have not ended, and waits for their end.

        Raises:
            InvalidInputError, NotFoundError: an id is not a run's, or nothing has it.
            RiseMLError: a run has not ended.
        """
        return cleanup.delete(self._context, names, kill=kill)

    def deletable(self, *names: str | Id, kill: bool = False) -> list[SetStatus]:
        """Return the runs that `delete` would delete; it raises the same errors."""
        return cleanup.deletable(self._context, names, kill=kill)

    def prune(self, older_than: timedelta, *, dry_run: bool = False) -> list[SetStatus]:
        """Delete runs that ended before `older_than` ago; `dry_run` only returns them."""
        return cleanup.prune(self._context, older_than, dry_run=dry_run)

    def prune_unused(self, unused_for: timedelta) -> Pruned:
        """Delete builds unused for that long, and code that no run needs."""
        return cleanup.prune_unused(self._context, unused_for)

    # Secrets and setup

    def secrets(self) -> list[str]:
        """Return the names of the secrets that are set, without values."""
        return sorted(self.engine.secrets())

    def set_secret(self, name: str, value: str) -> None:
        """Store a value for jobs that name it under `secrets`.

        Raises:
            InvalidInputError: it cannot be an environment variable, or is empty.
        """
        secrets_.set_secret(self.engine, name, value)

    def delete_secret(self, name: str) -> bool:
        """Delete a secret; return whether it was set."""
        return self.engine.set_secret(name, None)

    def doctor(self) -> "Iterator[Finding]":
        """Check this machine or the cluster for everything that runs need.

        Raises:
            NotFoundError: the settings name a context that does not exist.
        """
        return explain.doctor(self._context)
