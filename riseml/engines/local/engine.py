"""Local engine as commands see it: reads the home's database, and asks its controller for every change.

start, submit, stop, delete ──▶ protocol ──▶ controller
read, list, changes, logs   ──▶ store, output folders
"""

import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from riseml import status
from riseml.engines import Change, Chunk, LogQuery, Query, Submission, Submitted
from riseml.engines.local import home, protocol, secrets
from riseml.engines.local.serialize import (
    experiment_from_data,
    last_result,
    plan_to_data,
)
from riseml.engines.local.store import Store
from riseml.errors import HomeError, NotFoundError, RiseMLError, UnsupportedError
from riseml.ids import Id
from riseml.status import ExperimentStatus, SetStatus, State

if TYPE_CHECKING:
    from riseml.plan import ExperimentSet
    from riseml.project import Snapshot
    from riseml.project.image_key import ImageKey
    from riseml.storage.folder import Folder

_POLL_SECONDS = 0.05
# Twice the time that a job has to exit.
_DELETE_TIMEOUT_SECONDS = 60.0


class LocalEngine:
    """Runs Workflows as processes of this machine; `home` holds everything."""

    name = "local"
    build_noun = "environment"

    def __init__(self, home: Path, user: str) -> None:
        self.home, self.user = home, user
        self._store: Store | None = None

    # Write

    def snapshot(
        self, project: str, folder: Path, *, gitignore: bool = True
    ) -> "Snapshot":
        """Store the code of a folder in the home's repository of the project."""
        # Only `train` takes snapshots.
        from riseml.project import repository_of, snapshot  # noqa: PLC0415

        return snapshot(
            folder,
            repository_of(project, self.home),
            gitignore=gitignore,
            without=(self.home,),
        )

    def start(self, submission: Submission) -> Submitted:
        """Send a plan to the controller; it is recorded when this returns."""
        if submission.node:
            raise UnsupportedError(
                "this machine has no nodes to choose from",
                "`riseml config use` names a cluster.",
            )
        answer = self._ask(
            "start",
            plan=plan_to_data(submission.plan),
            revision=submission.revision,
            environment=dict(submission.environment),
            user=self.user,
        )
        return Submitted(**{**answer, "notes": tuple(answer["notes"])})

    def submit(self, document: dict[str, Any]) -> str:
        """Run a compiled Workflow as it is; return its name."""
        name: str = self._ask("submit", document=document, environment=dict(os.environ))
        return name

    def stop(self, run: Id, *, force: bool = False) -> bool:
        """Kill a run or one of its experiments; return False if it had ended."""
        number = self._number(run)
        return bool(self._ask("stop", number=number, sub=run.sub, force=force))

    def delete(self, run: Id) -> None:
        """Delete an ended run: its record, its logs, its output.

        Raises:
            NotFoundError: there is no such run.
            RiseMLError: the run has not ended.
        """
        number = self._number(run)
        folder = self._run_folder(self._summary_row(number))
        limit = time.monotonic() + _DELETE_TIMEOUT_SECONDS
        # The controller refuses as long as the run's TensorBoard is about to exit.
        while not self._ask("delete", number=number):
            if time.monotonic() > limit:
                raise RiseMLError(
                    f"a process of run {number} does not exit",
                    f"Try again later. See `riseml status {number}` and {protocol.log_file(self.home)}.",
                )
            time.sleep(_POLL_SECONDS)
        # Only `delete` needs it.
        import shutil  # noqa: PLC0415

        shutil.rmtree(folder, ignore_errors=True)

    def prune_unused(self, before: float) -> int:
        """Remove environments unused since a time, and code that no run refers to.

        Returns the number of environments. `before` is in seconds since 1970.
        """
        # Only `prune` needs them.
        from riseml.engines.local.controller import environments  # noqa: PLC0415
        from riseml.project import tidy  # noqa: PLC0415

        if self.store().unfinished():
            # An active run may be about to use what seems unused.
            return 0
        tidy(self.home)
        return environments.tidy(self.home, before)

    def set_secret(self, name: str, value: str | None) -> bool:
        """Set a secret, or remove it if `value` is None; return whether it existed."""
        return secrets.change(self.home, name, value)

    # Read

    def secrets(self) -> dict[str, str]:
        """Return the secrets of this home: values by name."""
        return secrets.read(self.home)

    def folder(self, run: Id) -> Path:
        """Return the output folder of a run, or with `run.sub` of an experiment."""
        row = self._summary_row(self._number(run))
        folder = self._run_folder(row)
        if run.sub is not None and row["is_set"]:
            return folder / str(run.sub)
        return folder

    def image_key(
        self,
        plan: "ExperimentSet",
        revision: str,
        environment: Mapping[str, str],
        base: str | None = None,
    ) -> "ImageKey":
        """Return the key of a plan's environment; this machine's Python is its base."""
        del base
        # Only plans with install steps need it.
        from riseml.engines.local.controller import environments  # noqa: PLC0415

        return environments.image_key_of(plan, revision, self.home, environment)

    def image(self, key: "ImageKey") -> str | None:
        """Return the name of a key's environment, None if it is not complete."""
        # Only plans with install steps need it.
        from riseml.engines.local.controller import environments  # noqa: PLC0415

        return environments.complete(key, self.home)

    def volume(self, name: str) -> "Folder":
        """Return the folder of a whole volume, `data` or `output`."""
        # Only `cp`, `ls` and `rm` need it.
        from riseml.storage.folder import Folder  # noqa: PLC0415

        if name == "data":
            folder = home.data_folder(self.home)
        else:
            folder = home.output_folder(self.home)
        folder.mkdir(parents=True, exist_ok=True)
        return Folder(folder)

    def get(self, run: Id) -> dict[str, Any]:
        """Return the Workflow with its status, as the interpreter computes it."""
        # Lists and ended runs do not need the interpreter.
        from riseml.engines.local.controller import stored_run  # noqa: PLC0415

        number = self._number(run)
        store = self.store()
        row = store.run(number)
        if row is None:
            raise _no_run(number)
        document = stored_run.stored_document(store, row)
        if row["shutdown"]:
            document["spec"]["shutdown"] = row["shutdown"]
        replayed = stored_run.replay(store, number, document)
        document["status"] = replayed.status()
        return document

    def read(self, run: Id) -> SetStatus:
        """Return one run in full; that of an ended run comes from its record."""
        number = self._number(run)
        final = self.store().final_status(number)
        if final is not None:
            return self._recorded(number, final)
        current = self._with_results(status.read(self.get(run)))
        if not current.has_tensorboard:
            return current
        return replace(current, tensorboard_url=self.tensorboard_url(run))

    def list(self, query: Query) -> list[SetStatus]:
        """Return runs, newest first."""
        if query.user not in (None, self.user):
            raise NotFoundError(
                f"there is no user {query.user} here",
                f"This home belongs to {self.user}. `riseml status --project {query.user}` lists a project's runs.",
            )
        store = self.store()
        rows = store.runs(ended=query.all, project=query.project, last=query.last)
        return [
            self._summary(store, row, experiments=query.experiments) for row in rows
        ]

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
        number = self._number(run)
        row = self._summary_row(number)
        if row["ended"]:
            # It may still be exiting, but belongs to the past.
            return None
        # Few runs have a TensorBoard.
        from riseml.engines.local.controller import gangs, ports  # noqa: PLC0415
        from riseml.engines.local.interpreter.node import (  # noqa: PLC0415
            RUNNING,
            node_id,
        )

        node = node_id(row["name"], f"{row['name']}.tensorboard")
        if self.store().node_phase(number, node) != RUNNING:
            return None
        folder = home.run_folder(self.home, number)
        file = gangs.addresses_file(folder, gangs.RUN_GANG)
        # Among the run's own jobs, only the TensorBoard listens.
        for address in ports.read_addresses(file).values():
            return f"http://{address}"
        return None

    def changes(self, run: Id) -> Iterator[SetStatus | ExperimentStatus]:
        """Yield the status of a run or experiment with every change until it has ended."""
        # Only commands that follow a run need it.
        from riseml.engines.local import watch  # noqa: PLC0415

        observations = watch.observe(
            self.store, lambda: self._read_to_follow(run), _POLL_SECONDS
        )
        return watch.changes(observations, run)

    def logs(self, query: LogQuery) -> Iterator[Chunk | Change]:
        """Replay and follow what jobs wrote."""
        # Only `logs` needs it.
        from riseml.engines.local import logs, watch  # noqa: PLC0415

        observations = watch.observe(
            self.store, lambda: self._read_to_follow(query.id), logs.POLL_SECONDS
        )
        folder = self.folder(Id(query.id.user, query.id.number))
        return logs.follow(query, observations, folder, secrets.hidden(self.home))

    def store(self, *, check_controller: bool = False) -> Store:
        """Return the home's database.

        A controller runs if a run has not ended; otherwise the database could be
        outdated. It is checked at the first call, and with `check_controller`.

        Raises:
            HomeError: the home cannot be read.
        """
        if self._store is None or not self._store.exists:
            if not self.home.exists():
                return Store(self.home)
            if not os.access(self.home, os.R_OK | os.X_OK):
                raise HomeError(
                    f"the RiseML home {self.home} cannot be read",
                    "Choose another one with RISEML_HOME.",
                )
            self._store, check_controller = Store(self.home), True
        if check_controller and self._store.unfinished():
            protocol.ensure(self.home)
        return self._store

    def _read_to_follow(self, run: Id) -> SetStatus:
        """Return a run for a view that follows it; jobs of a set only if it needs them."""
        store = self.store()
        row = self._summary_row(self._number(run))
        if not row["is_set"] or run.sub is not None or run.type is not None:
            return self.read(run)
        return replace(
            self._summary(store, row, experiments=True),
            tensorboard_url=self.tensorboard_url(run),
        )

    def _recorded(self, number: int, data: Mapping[str, Any]) -> SetStatus:
        # Lists have a shorter record.
        from riseml.status.data import from_data  # noqa: PLC0415

        try:
            return from_data(data)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise self.store().damaged(number, f"the status ({error!r})") from error

    def _with_results(self, run: SetStatus) -> SetStatus:
        """Return a run with the results that its running experiments reported so far."""
        folder = (
            home.output_folder(self.home) / run.user / run.project / str(run.number)
        )
        experiments = []
        for experiment in run.experiments:
            if experiment.state is State.RUNNING:
                output = folder / str(experiment.sub) if run.is_set else folder
                experiments.append(replace(experiment, result=last_result(output)))
            else:
                experiments.append(experiment)
        return replace(run, experiments=tuple(experiments))

    def _summary(self, store: Store, row: Any, *, experiments: bool) -> SetStatus:
        number = row["number"]
        recorded = store.experiments(number) if experiments else ()
        return SetStatus(
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

    def _run_folder(self, row: Any) -> Path:
        outputs = home.output_folder(self.home)
        return outputs.joinpath(row["user"], row["project"], str(row["number"]))

    def _summary_row(self, number: int) -> Any:
        row = self.store().summary(number)
        if row is None:
            raise _no_run(number)
        return row

    def _number(self, run: Id) -> int:
        if run.user not in (None, self.user) or run.number is None:
            raise NotFoundError(
                f"there is no run {run} here",
                "The local engine has only your own runs.",
            )
        return run.number

    def _ask(self, act: str, **arguments: Any) -> Any:
        return protocol.call(self.home, act, **arguments)


def _no_run(number: int) -> NotFoundError:
    return NotFoundError(
        f"there is no run {number}", "`riseml status -a` lists all runs."
    )


def _counts(text: str) -> dict[State, int]:
    """Return how many experiments are in each state; states without any are left out."""
    counts = json.loads(text)
    return {State(name): count for name, count in counts.items() if count}


def _time(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
