"""The local engine as commands see it: reads the home's database, and asks its controller for every change."""

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
from riseml.engines.local import protocol, secrets
from riseml.engines.local.serialize import from_data, plan_to_data, reported
from riseml.engines.local.store import Store
from riseml.errors import HomeError, NotFoundError, RiseMLError, UnsupportedError
from riseml.ids import Id
from riseml.status import ExperimentStatus, SetStatus, State

if TYPE_CHECKING:
    from riseml.plan import ExperimentSet
    from riseml.project import Snapshot
    from riseml.project.image_key import ImageKey
    from riseml.storage.folder import Folder

# Seconds between looks at the database while following
_BLINK = 0.05
# Seconds; twice what a job is given to end
_ENDING = 60.0
# Seconds between looks whether the controller is still there
_CHECK = 2.0


class LocalEngine:
    """Runs Workflows as processes of this machine; everything lies in `home`."""

    name = "local"
    build_noun = "environment"

    def __init__(self, home: Path, user: str) -> None:
        self.home, self.user = home, user
        self._store: Store | None = None

    # Write

    def snapshot(
        self, project: str, folder: Path, *, gitignore: bool = True
    ) -> "Snapshot":
        """Keep the code of `folder` in the home's repository of the project."""
        # Only `train` needs it
        from riseml.project import repository_of, snapshot  # noqa: PLC0415

        return snapshot(
            folder,
            repository_of(project, self.home),
            gitignore=gitignore,
            without=(self.home,),
        )

    def start(self, submission: Submission) -> Submitted:
        """Hand a plan to the controller; it is on record when this returns."""
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
        """Kill a run or one of its experiments; False where it had ended already."""
        return bool(
            self._ask("stop", number=self._number(run), sub=run.sub, force=force)
        )

    def delete(self, run: Id) -> None:
        """Forget an ended run: its record, its logs, its output."""
        number = self._number(run)
        row = self._row(number)
        limit = time.monotonic() + _ENDING
        while not self._ask(
            "delete", number=number
        ):  # its TensorBoard is just about to end
            if time.monotonic() > limit:
                raise RiseMLError(
                    f"a process of run {number} does not end",
                    f"`riseml status {number}` may say more.",
                )
            time.sleep(_BLINK)
        _remove(self.home / "output" / row["user"] / row["project"] / str(number))

    def prune_unused(self, before: float) -> int:
        """Drop environments unused since `before` (unix seconds), and code that no run refers to; return how many."""
        # Only `prune` needs it
        from riseml.engines.local.controller import environments  # noqa: PLC0415
        from riseml.project import tidy  # noqa: PLC0415

        if self._read().unfinished():
            # One of them may be about to use what looks unused
            return 0
        tidy(self.home)
        return environments.tidy(self.home, before)

    # Read

    def folder(self, run: Id) -> Path:
        """Return where the outputs of a run lie, or with `run.sub` those of one of its experiments."""
        row = self._row(self._number(run))
        whole = self.home.joinpath(
            "output", row["user"], row["project"], str(row["number"])
        )
        return whole / str(run.sub) if run.sub is not None and row["is_set"] else whole

    def image_key(
        self,
        plan: "ExperimentSet",
        revision: str,
        environment: Mapping[str, str],
        base: str | None = None,
    ) -> "ImageKey":
        """Return the key of a plan's environment."""
        # It is a Python of this machine
        del base
        from riseml.engines.local.controller import environments  # noqa: PLC0415

        return environments.image_key_of(plan, revision, self.home, environment)

    def image(self, key: "ImageKey") -> str | None:
        """Return the environment of a key, if it is complete."""
        from riseml.engines.local.controller import environments  # noqa: PLC0415

        return environments.complete(key, self.home)

    def volume(self, name: str) -> "Folder":
        """Return the folder that jobs see as `/data` or `/output`: all of it."""
        from riseml.engines.local import home  # noqa: PLC0415
        from riseml.storage.folder import Folder  # noqa: PLC0415

        place = (
            home.data_folder(self.home)
            if name == "data"
            else home.output_folder(self.home)
        )
        place.mkdir(parents=True, exist_ok=True)
        return Folder(place)

    def secrets(self) -> dict[str, str]:
        """Return the secrets of this home: names and values."""
        return secrets.read(self.home)

    def set_secret(self, name: str, value: str | None) -> bool:
        """Set a secret, or forget it where `value` is None; return whether it was there before."""
        return secrets.change(self.home, name, value)

    def get(self, run: Id) -> dict[str, Any]:
        """Return the Workflow with its status."""
        # Lists do not need it
        from riseml.engines.local.interpreter.run import WorkflowRun  # noqa: PLC0415

        number = self._number(run)
        row, store = self._row(number), self._read()
        document: dict[str, Any] = store.decode(number, row["document"], "the document")
        document["metadata"].setdefault("annotations", {})["riseml.io/killed"] = row[
            "killed"
        ]
        if row["shutdown"]:
            document["spec"]["shutdown"] = row["shutdown"]
        replayed = WorkflowRun.restore(
            document, document["metadata"]["uid"], store.nodes(number)
        )
        document["status"] = replayed.status(time.time())
        return document

    def read(self, run: Id) -> SetStatus:
        """Return one run in full."""
        whole = self._with_results(status.read(self.get(run)))
        return (
            replace(whole, tensorboard_url=self.tensorboard_url(run))
            if whole.has_tensorboard
            else whole
        )

    def _with_results(self, whole: SetStatus) -> SetStatus:
        """Return a run with what its running experiments have reported so far."""
        known = tuple(
            replace(each, result=reported(self._output(whole, each)))
            if each.state is State.RUNNING
            else each
            for each in whole.experiments
        )
        return replace(whole, experiments=known)

    def _output(self, whole: SetStatus, each: ExperimentStatus) -> Path:
        folder = self.home.joinpath(
            "output", whole.user, whole.project, str(whole.number)
        )
        return folder / str(each.sub) if whole.is_set else folder

    def tensorboard_url(self, run: Id) -> str | None:
        """Return where the TensorBoard of a run can be opened now, None where it does not run."""
        number = self._number(run)
        phase = self._read().phase(number, "tensorboard")
        if phase is None:
            raise self._missing(number)
        if phase != "Running":
            return None
        # Few runs have one
        from riseml.engines.local.controller import gangs, ports  # noqa: PLC0415

        folder = self.home / "runs" / str(number)
        addresses = ports.read_addresses(gangs.addresses_file(folder, gangs.RUN_GANG))
        # Among the run's own jobs, only the TensorBoard listens.
        for address in addresses.values():
            return f"http://{address}"
        return None

    def list(self, query: Query) -> list[SetStatus]:
        """Return runs, newest first."""
        if query.user not in (None, self.user):
            advice = f"This is {self.user}'s home. `riseml status --project {query.user}` lists a project's runs."
            raise NotFoundError(f"there is no user {query.user} here", advice)
        store = self._read()
        rows = store.runs(ended=query.all, project=query.project, last=query.last)
        return [
            self._summary(store, row, experiments=query.experiments) for row in rows
        ]

    def latest(self, project: str | None = None) -> Id:
        """Return the newest run."""
        number = self._read().latest(project)
        if number is None:
            raise NotFoundError(
                "there are no experiments yet", "`riseml train` starts one."
            )
        return Id(number=number)

    def changes(self, run: Id) -> Iterator[SetStatus | ExperimentStatus]:
        """Yield the run's status, or its experiment's, now and after every change until it has ended."""
        for whole, fresh in self.glances(run, _BLINK):
            if fresh:
                shown = self._part(whole, run)
                yield shown
                if shown.state.is_terminal:
                    return

    def logs(self, query: LogQuery) -> Iterator[Chunk | Change]:
        """Replay and follow what jobs wrote."""
        # Only `logs` needs it
        from riseml.engines.local.logs import follow  # noqa: PLC0415

        return follow(self, query)

    def glances(self, run: Id, pause: float) -> Iterator[tuple[SetStatus, bool]]:
        """Yield the run again and again, `pause` seconds apart, and whether it may have changed since.

        Reading a large set takes long, so it is read no more than a fifth of the time.
        """
        version, due, checked = -1, 0.0, time.monotonic()
        whole: SetStatus | None = None
        while True:
            now = time.monotonic()
            store = self._read(check=now - checked > _CHECK)
            checked = now if now - checked > _CHECK else checked
            fresh = now >= due and (current := store.version()) != version
            if fresh:
                version = current
                whole = self._glance(run)
                due = now + 5 * (time.monotonic() - now)
            # The first version is never -1
            assert whole is not None  # noqa: S101
            yield whole, fresh
            time.sleep(pause)

    def _glance(self, run: Id) -> SetStatus:
        """Read a run for somebody who follows it: of a set only its experiments, as last known."""
        row = self._row(self._number(run))
        if not row["is_set"] or run.sub is not None or run.type is not None:
            return self.read(run)
        return replace(
            self._summary(self._read(), row, experiments=True),
            tensorboard_url=self.tensorboard_url(run),
        )

    @staticmethod
    def _part(whole: SetStatus, run: Id) -> SetStatus | ExperimentStatus:
        if run.sub is None:
            return whole
        for experiment in whole.experiments:
            if experiment.sub == run.sub or (experiment.sub is None and run.sub == 1):
                return experiment
        raise NotFoundError(
            f"there is no experiment {run}",
            f"`riseml status {run.number}` lists what there is.",
        )

    def _summary(self, store: Store, row: Any, *, experiments: bool) -> SetStatus:
        number = row["number"]
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
            counts={
                State(name): count
                for name, count in json.loads(row["counts"]).items()
                if count
            },
            concurrency=row["concurrency"] or None,
            experiments=tuple(map(from_data, store.experiments(number)))
            if experiments
            else (),
        )

    def _row(self, number: int) -> Any:
        row = self._read().run(number)
        if row is None:
            raise self._missing(number)
        return row

    @staticmethod
    def _missing(number: int) -> NotFoundError:
        return NotFoundError(
            f"there is no run {number}", "`riseml status -a` lists what there is."
        )

    def _number(self, run: Id) -> int:
        if run.user not in (None, self.user) or run.number is None:
            raise NotFoundError(
                f"there is no run {run} here",
                "The local engine holds your own runs only.",
            )
        return run.number

    def _read(self, *, check: bool = False) -> Store:
        """Return the database, once a controller looks after what has not ended: else it could tell old tales."""
        if self._store is None or not self._store.exists:
            if not self.home.exists():
                return Store(self.home)
            if not os.access(self.home, os.R_OK | os.X_OK):
                raise HomeError(
                    f"the RiseML home {self.home} cannot be read",
                    "Choose another one with RISEML_HOME.",
                )
            self._store, check = Store(self.home), True
        if check and self._store.unfinished():
            protocol.ensure(self.home)
        return self._store

    def _ask(self, act: str, **arguments: Any) -> Any:
        return protocol.call(self.home, act, **arguments)


def _time(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _remove(folder: Path) -> None:
    # Only `delete` needs it
    import shutil  # noqa: PLC0415

    shutil.rmtree(folder, ignore_errors=True)
