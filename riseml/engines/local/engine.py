"""Local engine as commands see it: reads the home's database, and asks its controller for every change.

start, submit, stop, delete ──▶ protocol ──▶ controller
read, list, changes, logs   ──▶ store, output folders
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from riseml import home_folder, labels
from riseml.dataclass import replace
from riseml.engines import Change, Chunk, LogQuery, Pruned, Query, Submission, Submitted
from riseml.engines.local import home, protocol, secrets
from riseml.engines.local.image_methods import ImageMethods
from riseml.engines.local.machine_methods import MachineMethods
from riseml.engines.local.record_methods import RecordMethods
from riseml.engines.local.serialize import Inherited
from riseml.errors import RiseMLError, UnsupportedError
from riseml.ids import Id
from riseml.marks import to_data
from riseml.plan_data import plan_to_data
from riseml.settings import PROCESS
from riseml.status import ExperimentStatus, JobStatus, SetStatus

if TYPE_CHECKING:
    from riseml.engines.local.access import LocalAccess
    from riseml.engines.local.live import LiveRun
    from riseml.engines.local.reader import HomeReader
    from riseml.engines.local.usage_view import LocalUsageView
    from riseml.plan import Marks
    from riseml.project import Snapshot
    from riseml.storage.folder import Folder

_POLL_SECONDS = 0.05
# Twice the time that a job has to exit.
_DELETE_TIMEOUT_SECONDS = 60.0


class LocalEngine(MachineMethods, RecordMethods, ImageMethods):
    """Runs Workflows as processes or containers of this machine; `home` holds everything.

    `runner` is what runs the jobs where nothing else is named.
    """

    name = "local"
    build_noun = "environment"

    def __init__(self, home: Path, user: str, runner: str = PROCESS) -> None:
        home_folder.check(home)
        self.home, self.user, self.runner = home, user, runner

    @cached_property
    def reader(self) -> "HomeReader":  # type: ignore[override]
        """What reads the home."""
        # Commands that start runs do without it.
        from riseml.engines.local.reader import HomeReader  # noqa: PLC0415

        return HomeReader(self.home, self.user)

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
            home=self.home,
            split=True,
        )

    def record(
        self, project: str, folder: Path, *, gitignore: bool = True
    ) -> "Snapshot":
        """Store the code of a folder, as `snapshot` does."""
        return self.snapshot(project, folder, gitignore=gitignore)

    def repository(self, run: SetStatus) -> Path:
        """Return the repository of a run's project."""
        # Only commands that read code need it.
        from riseml.project import repository_of  # noqa: PLC0415

        return repository_of(run.project, self.home)

    def packages(self, run: SetStatus) -> dict[str, str] | None:
        """Return the packages that the install steps of a run installed."""
        # Only `diff` needs it.
        from importlib.metadata import distributions  # noqa: PLC0415

        folders = (self.home / "envs" / run.image_key).glob(
            "lib/python3*/site-packages"
        )
        folder = next(folders, None)
        if not run.image_key or folder is None:
            return None
        packages = {}
        for distribution in distributions(path=[str(folder)]):
            packages[distribution.name.lower()] = distribution.version
        return packages

    def start(self, submission: Submission) -> Submitted:
        """Send a plan to the controller; it is recorded when this returns."""
        if submission.node:
            raise UnsupportedError(
                "this machine has no nodes to choose from",
                "`riseml config use` names a cluster.",
            )
        self._share_checkout(submission)
        runner = self._runner_of(submission)
        answer = self._ask(
            "start",
            # It identifies the submission if the controller exits before it answers.
            token=os.urandom(16).hex(),
            **_inherited(submission.environment),
            plan=plan_to_data(submission.plan),
            revision=submission.revision,
            user=self.user,
            excluded=dict(submission.excluded),
            git=submission.git and vars(submission.git),
            into=submission.into and vars(submission.into),
            marked=to_data(submission.marks),
            runner=runner.to_data(),
        )
        # Asked for after the submission, it delays no job.
        notes = (*runner.all_notes(submission), *answer["notes"])
        return Submitted(
            **{**answer, "notes": notes},
            runner=runner.choice,
            prepares=runner.prepares,
        )

    def submit(self, document: dict[str, Any]) -> str:
        """Run a compiled Workflow as it is; return its name."""
        name: str = protocol.call(
            self.home,
            "submit",
            document=document,
            **_inherited(os.environ),
        )
        return name

    def stop(self, run: Id, *, force: bool = False) -> bool:
        """Kill a run or one of its experiments; return False if it had ended."""
        number = self.reader.number(run)
        return bool(self._ask("stop", number=number, sub=run.sub, force=force))

    def mark(self, run: Id, marks: "Marks") -> None:
        """Replace the name, tags and note of a run."""
        number = self.reader.number(run)
        self._ask("mark", number=number, marked=to_data(marks))

    def delete(self, run: Id) -> None:
        """Delete an ended run: its record, its logs, its output.

        Raises:
            NotFoundError: there is no such run.
            RiseMLError: the run has not ended.
        """
        # Only `delete` and `prune` need it.
        from riseml.engines.local import outputs  # noqa: PLC0415

        number = self.reader.number(run)
        row = self.reader.summary_row(number)
        folder = self.reader.run_folder(row)
        if row["ended"]:
            # On a full disk, the record can only be deleted once this has freed space.
            outputs.remove(folder)
        limit = time.monotonic() + _DELETE_TIMEOUT_SECONDS
        # The controller refuses as long as the run's TensorBoard is about to exit.
        while not self._ask("delete", number=number):
            if time.monotonic() > limit:
                raise RiseMLError(
                    f"a process of run {number} does not exit",
                    f"Try again later. See `riseml status {number}` and {protocol.log_file(self.home)}.",
                )
            time.sleep(_POLL_SECONDS)
        outputs.remove(folder)

    def prune_unused(self, before: float) -> Pruned:
        """Remove environments and images unused since a time, and code that no run refers to.

        `before` is in seconds since 1970.
        """
        # Only `prune` needs them.
        from riseml.engines.local.controller import environments  # noqa: PLC0415
        from riseml.project import tidy  # noqa: PLC0415

        if not self.home.exists():
            return Pruned(0)
        self._ask("clean")
        removed = 0
        notes = []
        active = self.reader.store().unfinished()
        if active:
            # Its jobs use environments, and it may be about to use one that seems unused.
            if any((self.home / "envs").glob("*")):
                ids = ", ".join(map(str, active))
                notes.append(f"Kept environments, because runs have not ended: {ids}.")
        else:
            # Git needs space to tidy up, and these two free it.
            self._discard_checkouts()
            removed = environments.tidy(self.home, before)
            removed += self._remove_unused_images(before)
        notes += [pruned.describe() for pruned in tidy(self.home)]
        return Pruned(removed, tuple(notes))

    def repair(self) -> Sequence[str]:
        """Repair the list of runs; return what was done, in sentences."""
        # Only `doctor --repair` needs it.
        from riseml.engines.local import repair  # noqa: PLC0415

        return repair.repair(self.home)

    def set_secret(self, name: str, value: str | None) -> bool:
        """Set a secret, or remove it if `value` is None; return whether it existed."""
        return secrets.change(self.home, name, value)

    # Read

    def secrets(self) -> dict[str, str]:
        """Return the secrets of this home: values by name."""
        return secrets.read(self.home)

    def volume(self, name: str) -> "Folder":
        """Return the folder of a whole volume, `data` or `output`."""
        # Only `cp`, `ls` and `rm` need it.
        from riseml.storage.folder import Folder  # noqa: PLC0415

        if name == "data":
            folder = home.data_folder(self.home)
        else:
            folder = home.output_folder(self.home)
        # A home that can only be read has no new folders.
        with suppress(OSError):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return Folder(folder)

    def folder(self, run: Id) -> Path:
        """Return the output folder of a run, or with `run.sub` of an experiment."""
        return self.reader.folder(run)

    def get(self, run: Id) -> dict[str, Any]:
        """Return the Workflow with its status, as the interpreter computes it."""
        return self.reader.get(run)

    def read(self, run: Id) -> SetStatus:
        """Return one run in full; that of an ended run comes from its record."""
        return self.reader.read(run)

    def read_brief(self, run: Id) -> SetStatus:
        """Return one run; experiments of a set may lack their jobs, as `HomeReader` says."""
        return self.reader.read_brief(run)

    def with_experiments(self, run: Id) -> SetStatus:
        """Return a run with its experiments, without jobs."""
        return self.reader.with_experiments(run)

    def list(self, query: Query) -> list[SetStatus]:
        """Return runs, newest first."""
        return self.reader.list(query)

    def latest(self, project: str | None = None) -> Id:
        """Return the newest run."""
        return self.reader.latest(project)

    def tensorboard_url(self, run: Id) -> str | None:
        """Return the URL of a run's TensorBoard, None if none is running."""
        return self.reader.tensorboard_url(run)

    def environment(self, run: Id) -> Path | None:
        """Return the environment that a run's install steps made, None without one."""
        image_key = self.reader.get(run)["metadata"]["labels"].get(labels.IMAGE_KEY)
        if image_key is None:
            return None
        return home.environment_folder(self.home, image_key)

    def changes(self, run: Id) -> Iterator[SetStatus | ExperimentStatus]:
        """Yield the status of a run or experiment with every change until it has ended."""
        return self._changes(run, lambda: self.reader.read_to_follow(run))

    def ending(self, run: Id) -> Iterator[SetStatus | ExperimentStatus]:
        """Yield the state of a run or experiment as it changes, and its status once it has ended."""
        # Only `wait` needs it.
        from riseml.engines.local import end_state  # noqa: PLC0415

        return self._changes(run, lambda: end_state.read(self.reader, run))

    def _changes(
        self, run: Id, read: Callable[[], SetStatus]
    ) -> Iterator[SetStatus | ExperimentStatus]:
        # Only commands that follow a run need it.
        from riseml.engines.local import watch  # noqa: PLC0415

        files = watch.changes_of(self.home)
        observations = watch.observe(self.reader.store, read, files.wait)
        return files.until_closed(watch.changes(observations, run))

    def view(self, run: Id) -> "LiveRun":
        """Return a view of a run that reads only what has changed."""
        # Only `status -w` needs it.
        from riseml.engines.local.live import LiveRun  # noqa: PLC0415

        return LiveRun(self.reader, run)

    def usage(self, selected: Id) -> "LocalUsageView":
        """Return a view of what running jobs use."""
        # Only `monitor` needs it.
        from riseml.engines.local.usage_view import LocalUsageView  # noqa: PLC0415

        return LocalUsageView(self.reader, selected)

    def logs(self, query: LogQuery) -> Iterator[Chunk | Change]:
        """Replay and follow what jobs wrote."""
        # Only `logs` needs it.
        from riseml.engines.local import logs, watch  # noqa: PLC0415

        if not self.reader.may_change():
            query = replace(query, follow=False)
        files = watch.changes_of(self.home)
        observations = watch.observe(
            self.reader.store,
            lambda: self.reader.read_to_follow(query.id),
            files.wait,
        )
        folder = self.reader.folder(Id(query.id.user, query.id.number))
        hidden = secrets.hidden(self.home)
        return files.until_closed(
            logs.follow(query, observations, folder, hidden, files)
        )

    def access(self, run: SetStatus, job: JobStatus) -> "LocalAccess":
        """Return access to a running job of a run."""
        # Only `exec`, `shell` and `port-forward` need it.
        from riseml.engines.local import access  # noqa: PLC0415

        return access.LocalAccess(job.id, self.reader.job_folder(run, job))

    def _discard_checkouts(self) -> None:
        # Only `prune` needs them.
        import shutil  # noqa: PLC0415

        from riseml.engines.local import checkouts  # noqa: PLC0415

        for folder in checkouts.take_unused(self.home, ()):
            shutil.rmtree(folder, ignore_errors=True)

    def _share_checkout(self, submission: Submission) -> None:
        # Only `train` needs it.
        from riseml.engines.local import checkouts  # noqa: PLC0415

        if not home.checkouts(self.home).is_dir():
            # The controller finds out whether jobs can share one.
            protocol.ensure(self.home)
        checkouts.ensure(self.home, submission.plan.project, submission.revision)

    def _ask(self, act: str, **arguments: Any) -> Any:
        return protocol.call_until_answered(self.home, act, **arguments)


def _inherited(environment: Mapping[str, str]) -> dict[str, Any]:
    """Return what jobs get from this process, and which controllers may grant it."""
    # Only commands that start runs need it.
    from riseml import job_python  # noqa: PLC0415
    from riseml.engines.local.jobs import attributes  # noqa: PLC0415

    own_last = job_python.with_own_last(environment)
    inherited = Inherited(own_last, attributes.current())

    def suits(greeting: protocol.Greeting) -> bool:
        return not attributes.exceeding(inherited.attributes, greeting["bounds"])

    return {"suits": suits, "inherited": vars(inherited)}
