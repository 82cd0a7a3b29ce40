"""RiseML for programs: what the commands do, with the same names and typed results.

    client = riseml.Client()
    run = client.train("riseml.yml")
    client.wait(run.id)
    print(client.results(run.id, sort="accuracy").best)

All errors are `riseml.errors.RiseMLError`. Ids are text as on the command line (`14`, `14.3`, `14.3.train`); an id that
is None means the user's newest run.
"""

import os
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from riseml.client.cleanup import TidyVerbs
from riseml.client.context import CONFIG_FILE
from riseml.client.explain import InsightVerbs
from riseml.client.files import VolumeVerbs
from riseml.client.images import BuildVerbs
from riseml.client.timeouts import ticking
from riseml.client.types import Killed, RunHandle
from riseml.engines import Change, Chunk, Engine, LogQuery, Query, Submission
from riseml.engines.open import open_engine
from riseml.errors import (
    ConfigError,
    Fault,
    InvalidInputError,
    NotFoundError,
    TimedOutError,
    UnsupportedError,
)
from riseml.ids import Id
from riseml.settings import Settings
from riseml.settings import load as load_settings
from riseml.status import ExperimentStatus, JobStatus, SetStatus
from riseml.status.select import pick

if TYPE_CHECKING:
    from riseml.client.results import Results
    from riseml.plan import ExperimentSet
    from riseml.project import Snapshot


class Client(InsightVerbs, BuildVerbs, VolumeVerbs, TidyVerbs):
    """RiseML at one home, or on an engine of your own.

    `home` is the directory of the local engine (None: RISEML_HOME, or ~/.riseml). Nothing is opened before the first
    verb that needs an engine; `check`, `plan` and `compile` never do.
    """

    def __init__(
        self, home: str | Path | None = None, engine: Engine | None = None
    ) -> None:
        self._home = home
        self._given = engine

    @cached_property
    def settings(self) -> Settings:
        """The settings that hold for this user in the current folder."""
        return load_settings({"home": self._home}, project=Path.cwd())

    @cached_property
    def engine(self) -> Engine:
        """What runs the experiments."""
        return self._given or open_engine(self.settings)

    def secrets(self) -> list[str]:
        """Return the names of the secrets that are set, never their values."""
        return sorted(self.engine.secrets())

    def set_secret(self, name: str, value: str) -> None:
        """Keep a value for jobs that name it under `secrets`.

        Raises:
            InvalidInputError: the name cannot be one of an environment variable.
        """
        if not name.isidentifier() or not name.isascii():
            raise InvalidInputError(
                f"'{name}' cannot be a variable",
                "Use letters, digits and _, no digit first.",
            )
        if not value:
            raise InvalidInputError(
                f"the value of {name} is empty",
                f"`riseml secret delete {name}` forgets it.",
            )
        self.engine.set_secret(name, value)

    def delete_secret(self, name: str) -> bool:
        """Forget a secret; return whether it was there."""
        return self.engine.set_secret(name, None)

    def whoami(self) -> str:
        """Return the name of the user who asks."""
        return self.engine.user

    def train(
        self,
        path: str | Path = CONFIG_FILE,
        *,
        gitignore: bool | None = None,
        on_sync: "Callable[[Snapshot], None] | None" = None,
        node: str = "",
    ) -> RunHandle:
        """Load and plan a riseml.yml, snapshot the code beside it and submit both; return once the run is durable.

        `gitignore` None means what the settings say; `on_sync` is called between snapshot and start. `node` is the
        host name of the only node of a cluster that jobs may run on.

        Raises:
            ConfigError: the file has faults; nothing was started.
            UnsupportedError: the engine cannot run it faithfully; nothing was started.
            HomeError: the code or the run cannot be stored.
        """
        config = self._load(path)
        plan = self._plan(config)
        snapshot = self._snapshot(config, path, gitignore)
        if on_sync:
            on_sync(snapshot)
        started = self.engine.start(
            Submission(plan, snapshot.revision, dict(os.environ), node)
        )
        tensorboard = None
        if plan.tensorboard:
            tensorboard = self._board(Id(number=started.number))
        return RunHandle(
            str(started.number),
            started.name,
            plan.project,
            started.is_set,
            started.experiments,
            snapshot,
            started.notes,
            tuple(config.warnings),
            tensorboard,
        )

    def plan(self, path: str | Path = CONFIG_FILE) -> "ExperimentSet":
        """Return what `train` would run.

        Raises:
            ConfigError: the file has faults.
        """
        return self._plan(self._load(path))

    def measure(
        self, path: str | Path = CONFIG_FILE, *, gitignore: bool | None = None
    ) -> tuple[int, int]:
        """Return how many files, and bytes, `train` would keep as the code of a riseml.yml.

        Raises:
            ProjectError: a folder cannot be read.
        """
        from riseml.project.walk import SIZE, walk

        honoured = self.settings.gitignore if gitignore is None else gitignore
        tree = walk(os.fsencode(Path(path).absolute().parent), {}, gitignore=honoured)
        return len(tree.pending), sum(key[SIZE] for _, _, key in tree.pending)

    def check(self, path: str | Path = CONFIG_FILE) -> tuple[Fault, ...]:
        """Return every error and warning of a riseml.yml; a file without errors has warnings at most."""
        try:
            config = self._load(path)
            self._plan(config)
        except ConfigError as error:
            return error.faults
        except UnsupportedError as error:
            # Nothing is wrong with the file
            return (
                *config.warnings,
                Fault(str(path), 0, 0, str(error), "warning", advice=error.advice),
            )
        return tuple(config.warnings)

    def compile(
        self,
        path: str | Path = CONFIG_FILE,
        *,
        git: str | None = None,
        number: int | None = None,
        user: str = "me",
        on_warning: Callable[[str], None] | None = None,
    ) -> dict[str, Any]:
        """Return the Argo Workflow of a riseml.yml as plain data, for any cluster.

        `git` is `URL` or `URL#REVISION`; `on_warning` hears of a Workflow that not every Argo could run.

        Raises:
            ConfigError: the file has faults.
            RiseMLError: the Workflow would be too large for Kubernetes.
        """
        from riseml.compiler import compile_workflow, limits
        from riseml.plan import Origin, Target

        url, _, revision = (git or "").partition("#")
        origin = Origin(
            user=user, number=number, git_url=url or None, revision=revision
        )
        document = compile_workflow(self.plan(path), origin, Target())
        if (warning := limits.check_manifest(document)) and on_warning:
            on_warning(warning)
        return document

    def runs(
        self,
        *,
        all: bool = False,
        last: int = 0,
        user: str | None = None,
        everyone: bool = False,
        project: str | None = None,
        experiments: bool = False,
    ) -> list[SetStatus]:
        """Return runs, newest first: unfinished ones, or with `all` the `last` (0: no limit) of any state.

        Raises:
            NotAllowedError: other users' runs are not for you.
        """
        return self.engine.list(
            Query(
                all=all,
                last=last,
                user=user,
                everyone=everyone,
                project=project,
                experiments=experiments,
            )
        )

    def status(
        self, id: str | Id | None = None
    ) -> SetStatus | ExperimentStatus | JobStatus:
        """Return one run, experiment of a set, or job in full.

        Raises:
            InvalidInputError: the text is no id, or a user's.
            NotFoundError: nothing has this id; the advice says what is there.
        """
        wanted = self._find(id)
        return pick(self.read(wanted), wanted)

    def changes(
        self,
        id: str | Id | None = None,
        *,
        tick: float | None = None,
    ) -> Iterator[SetStatus | ExperimentStatus | None]:
        """Yield the status of a run or experiment now and after every change until it has ended.

        With `tick`, None comes whenever nothing has changed for so many seconds.

        Raises:
            NotFoundError: nothing has this id.
        """
        wanted = self._find(id).experiment
        yield from (
            self.engine.changes(wanted)
            if tick is None
            else ticking(self._apart().changes(wanted), tick)
        )

    def logs(
        self,
        id: str | Id | None = None,
        *,
        follow: bool = True,
        tail: int | None = None,
        since: datetime | None = None,
    ) -> Iterator[Chunk | Change]:
        """Yield what the jobs of a run, experiment or job wrote, and their changes of state.

        Raises:
            NotFoundError: nothing has this id.
        """
        yield from self.engine.logs(
            LogQuery(id=self._find(id), follow=follow, tail=tail, since=since)
        )

    def kill(self, *names: str | Id, force: bool = False) -> list[Killed]:
        """Stop runs or experiments of a set one after the other; without ids the newest run.

        `force` also clears what does not answer.

        Raises:
            InvalidInputError: an id is not an experiment's; nothing was killed.
            NotFoundError: an id is unknown, or there is nothing to kill; nothing was killed.
        """
        wanted = [
            self._experiment(name, "can only kill experiments") for name in names
        ] or [self._newest_alive()]
        before = [(each, self.status(each)) for each in wanted]
        return [
            Killed(
                status.id,
                _is_set(status),
                self.engine.stop(each, force=force),
                status.state,
            )
            for each, status in before
        ]

    def wait(
        self, *names: str | Id, timeout: timedelta | None = None
    ) -> list[SetStatus | ExperimentStatus]:
        """Return how runs or experiments ended, in the order asked for; without ids the newest run.

        Raises:
            InvalidInputError: an id is not an experiment's.
            NotFoundError: an id is unknown.
            TimedOutError: not all have ended in time; they go on.
        """
        wanted = [
            self._experiment(name, "can only wait for experiments") for name in names
        ] or [self._find(None)]
        end = None if timeout is None else time.monotonic() + timeout.total_seconds()
        return [self._wait(each, end) for each in wanted]

    def results(
        self,
        id: str | Id | None = None,
        *,
        sort: str | None = None,
        largest: bool | None = None,
        top: int | None = None,
    ) -> "Results":
        """Return the table over a set: see `riseml.results.tabulate`.

        Raises:
            NotFoundError: nothing has this id, or nothing is called `sort`.
        """
        from riseml.client.results import tabulate

        wanted = self._find(id)
        if wanted.kind != "experiment" or wanted.sub is not None:
            raise InvalidInputError(
                f"{wanted} is no set",
                "Results compare the experiments of a set, such as 14.",
            )
        return tabulate(self.engine.read(wanted), sort=sort, largest=largest, top=top)

    def _newest_alive(self) -> Id:
        try:
            newest = self.engine.latest()
        except NotFoundError:
            raise NotFoundError("no experiments to kill") from None
        if self.engine.read(newest).state.is_terminal:
            raise NotFoundError(
                "no experiments to kill", f"The newest, {newest}, has ended."
            )
        return newest

    def _wait(self, wanted: Id, end: float | None) -> SetStatus | ExperimentStatus:
        last: SetStatus | ExperimentStatus | None = None
        for status in self._until(wanted, end):
            last = status or last
            if (
                end is not None
                and time.monotonic() >= end
                and not (last and last.state.is_terminal)
            ):
                state = last.state if last else "unknown"
                raise TimedOutError(
                    f"{wanted} has not ended in time (it is {state})",
                    "It goes on in the background.",
                )
        if last is None:
            raise NotFoundError(f"nothing is known of {wanted}")
        return last

    def _until(
        self, wanted: Id, end: float | None
    ) -> Iterator[SetStatus | ExperimentStatus | None]:
        if end is None:
            return self.engine.changes(wanted)
        return ticking(self._apart().changes(wanted), lambda: end - time.monotonic())

    def _apart(self) -> Engine:
        """Return an engine for another thread: what the local one has opened belongs to this one."""
        return self._given or open_engine(self.settings)


def _is_set(status: SetStatus | ExperimentStatus | JobStatus) -> bool:
    return isinstance(status, SetStatus) and status.is_set
