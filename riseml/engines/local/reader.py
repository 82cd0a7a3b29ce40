"""Reader of a home's database: runs as commands show them.

read ──▶ ended ──────▶ the status recorded at its end
    └──▶ not ended ──▶ nodes ──▶ interpreter ──▶ status
"""

import json
import os
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from riseml import labels
from riseml.dataclass import replace
from riseml.engines import Query
from riseml.engines.local import home, idle_files, marks, outputs, protocol
from riseml.engines.local.controller import recorded_status
from riseml.engines.local.serialize import experiment_from_data
from riseml.engines.local.store import Store
from riseml.errors import (
    DamagedDatabaseError,
    HomeError,
    NotFoundError,
    RiseMLError,
    UnreachableError,
)
from riseml.excerpts import excerpt
from riseml.ids import Id
from riseml.status import JobStatus, SetStatus, State

# Between checks that a controller serves the home.
_CHECK_SECONDS = 2.0
# Time without a controller after which a command stops waiting for one.
_ABSENCE_SECONDS = 60.0


class HomeReader:
    """The runs of a user's home, read from its database and output folders."""

    def __init__(self, home: Path, user: str) -> None:
        self.home, self.user = home, user
        self._store: Store | None = None
        self._has_warned = False
        # When a controller was last looked for, and since when there is none, by the
        # monotonic clock.
        self._checked_at = -_CHECK_SECONDS
        self._absent_since: float | None = None

    def store(self, *, check_controller: bool = False) -> Store:
        """Return the home's database.

        A controller runs if a run has not ended; otherwise the database could be
        outdated. It is checked at the first call, when some time has passed, and with
        `check_controller`.

        Raises:
            HomeError: the home cannot be read.
        """
        # Another thread may replace the attribute at any time.
        store = self._store
        if store is not None and store.is_inherited:
            # As long as it is open, SQLite relies on locks that this process lacks.
            store.close()
            store = None
        if store is None or self._must_open(store, check_controller):
            if not self.home.exists():
                return Store(self.home)
            if not os.access(self.home, os.R_OK | os.X_OK):
                raise HomeError(
                    f"the RiseML home {self.home} cannot be read",
                    "Choose another one with RISEML_HOME.",
                )
            store = self._store = self._open()
            check_controller = True
        is_due = time.monotonic() - self._checked_at > _CHECK_SECONDS
        if (check_controller or is_due) and store.unfinished():
            self._ensure_controller()
        return store

    def _open(self) -> Store:
        try:
            return self._open_undamaged()
        except DamagedDatabaseError:
            if not protocol.answers(self.home):
                raise
        # A controller that works at this moment puts back what was deleted or replaced.
        protocol.call(self.home, "check")
        return self._open_undamaged()

    def _open_undamaged(self) -> Store:
        store = Store(self.home)
        if not store.exists:
            outputs.check_not_lost(self.home)
        return store

    def _must_open(self, store: Store, check_controller: bool) -> bool:
        if not store.exists or store.is_replaced():
            return True
        # A copy does not change while a controller works.
        return store.is_copy and check_controller

    def _ensure_controller(self) -> None:
        """Start a missing controller; warn once if that fails, since reads need none.

        Raises:
            UnreachableError: for a long time, none could be started.
        """
        self._checked_at = now = time.monotonic()
        try:
            protocol.ensure(self.home)
            self._absent_since = None
        except (HomeError, UnreachableError) as error:
            self._warn(error)
            self._absent_since = self._absent_since or now
            # A command that waits outlives controllers that are killed as they start.
            is_lasting = now - self._absent_since > _ABSENCE_SECONDS
            if is_lasting and isinstance(error, UnreachableError):
                raise

    def _warn(self, error: RiseMLError) -> None:
        if self._has_warned:
            return
        self._has_warned = True
        # Only failures need it.
        import logging  # noqa: PLC0415

        logging.getLogger("riseml").warning(
            "riseml: warning: no controller runs, so the states of unfinished runs may be outdated: %s\n%s",
            error,
            error.advice,
        )

    def may_change(self) -> bool:
        """Return whether the states of runs may still change: a controller can work."""
        return os.access(self.home, os.W_OK) or protocol.answers(self.home)

    def get(self, run: Id) -> dict[str, Any]:
        """Return the Workflow with its status, as the interpreter computes it."""
        # Lists and ended runs do not need the interpreter.
        from riseml.engines.local.controller import stored_run  # noqa: PLC0415

        number = self.number(run)
        store = self.store()
        row = store.run(number)
        if row is None:
            raise _no_run(number)
        document = stored_run.stored_document(store, row)
        replayed = stored_run.replay(store, number, document)
        document["status"] = replayed.status()
        return document

    def read(self, run: Id) -> SetStatus:
        """Return one run in full; that of an ended run comes from its record."""
        return self._read(run, brief=False)

    def read_brief(self, run: Id) -> SetStatus:
        """Return a run; of a set, only experiments at work and that of the id have jobs."""
        return self._read(run, brief=True)

    def _read(self, run: Id, *, brief: bool) -> SetStatus:
        number = self.number(run)
        store = self.store()
        row = self.summary_row(number)
        keys = (number, *store.shards(number))
        brief = brief and row["is_set"]
        current = recorded_status.read(store, keys, brief=brief, sub=run.sub)
        if row["ended"]:
            return self._measured(current)
        folder = self.run_folder(row)
        # Lists of runs have no need of it.
        from riseml.engines.local import live_usage, reports  # noqa: PLC0415

        if brief and len(keys) == 1:
            current = reports.with_results_at_work(current, folder)
        else:
            current = reports.with_results(current, folder)
        current = self._measured(current)
        current = live_usage.with_remarks(current, self.home, keys)
        if not current.has_tensorboard:
            return current
        return replace(current, tensorboard_url=self.tensorboard_url(run))

    def read_to_follow(self, run: Id) -> SetStatus:
        """Return a run for a view that follows it.

        The jobs of a set are left out, except for those that the id names: a set may have
        thousands.
        """
        store = self.store()
        row = self.summary_row(self.number(run))
        if not row["is_set"] or run.sub is not None or run.type is not None:
            return self.read_brief(run)
        return replace(
            self.summary(store, row, experiments=True),
            tensorboard_url=self.tensorboard_url(run),
        )

    def with_experiments(self, run: Id) -> SetStatus:
        """Return a run with its experiments; jobs may be missing."""
        row = self.summary_row(self.number(run))
        if not row["ended"]:
            return self.read_brief(run)
        store = self.store()
        summary = self.summary(store, row, experiments=True)
        (marked,) = marks.added(store, [summary], summary.number)
        return marked

    def list(self, query: Query) -> list[SetStatus]:
        """Return runs, newest first."""
        if query.user not in (None, self.user):
            user = excerpt(str(query.user))
            raise NotFoundError(
                f"there is neither a run nor a user {user} here",
                f"`riseml status -a` lists all runs, `riseml status -a --project {user}` those of a project.",
            )
        store = self.store()
        # Marks are not columns of the table.
        by_marks = bool(query.tags or query.name)
        last = 0 if by_marks else query.last
        rows = store.runs(ended=query.all, project=query.project, last=last)
        runs = marks.added(
            store,
            (self._listed(store, row, experiments=query.experiments) for row in rows),
        )
        return list(filter(query.selects, runs))[: query.limit]

    def latest(self, project: str | None = None) -> Id:
        """Return the newest run."""
        number = self.store().latest(project)
        if number is None:
            raise NotFoundError(
                "there are no experiments yet", "`riseml train` starts one."
            )
        return Id(number=number)

    def tensorboard_url(self, run: Id) -> str | None:
        """Return the URL of a run's TensorBoard, None if none is running."""
        number = self.number(run)
        row = self.summary_row(number)
        if row["ended"]:
            # It may still be exiting, but belongs to the past.
            return None
        store = self.store()
        for key in (*store.shards(number), number):
            url = self._tensorboard_url(store, key)
            if url:
                return url
        return None

    def _tensorboard_url(self, store: Store, key: int) -> str | None:
        # Few runs have a TensorBoard.
        from riseml.engines.local.controller import gangs, ports  # noqa: PLC0415
        from riseml.engines.local.interpreter.node import (  # noqa: PLC0415
            RUNNING,
            node_id,
        )
        from riseml.engines.local.jobs.gang_names import RUN_GANG  # noqa: PLC0415

        row = store.summary(key)
        if row is None:
            return None
        node = node_id(row["name"], f"{row['name']}.tensorboard")
        if store.node_phase(key, node) != RUNNING:
            return None
        folder = home.run_folder(self.home, key)
        file = gangs.addresses_file(folder, RUN_GANG)
        # Among the run's own jobs, only the TensorBoard listens.
        for address in ports.read_addresses(file).values():
            return f"http://{address}"
        return None

    def folder(self, run: Id) -> Path:
        """Return the output folder of a run, or with `run.sub` of an experiment."""
        row = self.summary_row(self.number(run))
        folder = self.run_folder(row)
        if run.sub is not None and row["is_set"]:
            return folder / str(run.sub)
        return folder

    def run_folder(self, row: Any) -> Path:
        """Return the output folder of a run, given its row."""
        outputs = home.output_folder(self.home)
        return outputs.joinpath(row["user"], row["project"], str(row["number"]))

    def job_folder(self, run: SetStatus, job: JobStatus) -> Path:
        """Return the folder of a job's processes, which exists while it runs."""
        number = run.number or 0
        for key in (*self.store().shards(number), number):
            folder = home.run_folder(self.home, key) / job.node_id
            if folder.is_dir():
                return folder
        return home.run_folder(self.home, number) / job.node_id

    def summary_row(self, number: int) -> Any:
        """Return the row of a run without its document.

        Raises:
            NotFoundError: there is no such run.
        """
        row = self.store().summary(number)
        if row is None:
            raise _no_run(number)
        return row

    def number(self, run: Id) -> int:
        """Return the number of a run of this home's user.

        Raises:
            NotFoundError: the id belongs to another user.
        """
        if run.user not in (None, self.user) or run.number is None:
            raise NotFoundError(
                f"there is no run {run} here",
                "Runs here are only your own. If you gave a run this name, write its number:"
                " `riseml status -a` shows both.",
            )
        return run.number

    def _measured(self, run: SetStatus) -> SetStatus:
        """Return a run with the metrics that its riseml.yml names."""
        if not run.metrics or run.number is None:
            return run
        # Few runs name metrics.
        from riseml.engines.local.metric_files import measured  # noqa: PLC0415

        outputs = home.output_folder(self.home)
        return measured(run, outputs / run.user / run.project / str(run.number))

    def summary(self, store: Store, row: Any, *, experiments: bool) -> SetStatus:
        """Return the summary of a run.

        Raises:
            DamagedError: its record cannot be read.
        """
        try:
            return self._summary(store, row, experiments=experiments)
        except (LookupError, TypeError, ValueError, ArithmeticError, OSError) as error:
            raise store.damaged(row["number"], repr(error)) from error

    def _listed(self, store: Store, row: Any, *, experiments: bool) -> SetStatus:
        """Return the summary of a run, marked if jobs of it are held, or do not use their GPUs."""
        run = self.summary(store, row, experiments=experiments)
        is_running = run.state is State.RUNNING
        if not is_running or not idle_files.exist(self.run_folder(row)):
            return run
        # Few runs have such jobs.
        from riseml.status import held, idleness  # noqa: PLC0415

        complete = self.read(Id(number=run.number))
        marked = held.with_mark(run, complete.experiments)
        marked = idleness.with_mark(marked, complete.experiments)
        if not experiments:
            return marked
        return replace(marked, experiments=complete.experiments)

    def _summary(self, store: Store, row: Any, *, experiments: bool) -> SetStatus:
        number = row["number"]
        recorded = store.experiments(number) if experiments else ()
        run = SetStatus(
            id=str(number),
            name=row["name"],
            user=row["user"],
            project=row["project"],
            number=number,
            is_set=bool(row["is_set"]),
            state=State(row["state"]),
            created=_time(row["created"]),
            started=_time(row["started"]),
            finished=_time(row["finished"]),
            counts=_counts(row["counts"]),
            concurrency=row["concurrency"] or None,
            experiments=tuple(map(experiment_from_data, recorded)),
        )
        named = store.annotation(number, labels.METRICS) if recorded else None
        if named is None:
            return run
        from riseml.status.reader import metrics  # noqa: PLC0415

        return self._measured(replace(run, metrics=metrics(named)))


def _no_run(number: int) -> NotFoundError:
    return NotFoundError(
        f"there is no run {number}", "`riseml status -a` lists all runs."
    )


# Most runs of a list have the same counts. Decoding all takes a quarter of its time.
@lru_cache
def _counts(text: str) -> Mapping[State, int]:
    """Return how many experiments are in each state; states without any are left out."""
    counts = json.loads(text)
    return {State(name): count for name, count in counts.items() if count}


def _time(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
