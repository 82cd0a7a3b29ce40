"""Argo engine: runs in a user's namespace on a cluster, read through the Kubernetes API."""

import base64
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from riseml import labels
from riseml.cluster.api import Api, data_of, path, path_of
from riseml.cluster.connection import Connection
from riseml.cluster.store import StorePod
from riseml.cluster.user_namespace import UserNamespace
from riseml.engines import (
    Change,
    Chunk,
    LogQuery,
    Pruned,
    Query,
    Submission,
    Submitted,
)
from riseml.engines.argo import archive
from riseml.engines.argo.output_folder import folder as folder_of
from riseml.engines.argo.workflows import Workflows
from riseml.engines.selection import run_or_experiment
from riseml.errors import RiseMLError
from riseml.ids import Id
from riseml.status import ExperimentStatus, JobStatus, SetStatus

if TYPE_CHECKING:
    from riseml.cluster.port_forward import Forwarding
    from riseml.consumption import DiskUse
    from riseml.diagnosis.evidence import Evidence
    from riseml.engines.argo.access import PodAccess
    from riseml.engines.argo.images import Images
    from riseml.engines.argo.listing import Listing
    from riseml.engines.argo.live import LiveRun
    from riseml.engines.argo.preparation import Preparation
    from riseml.engines.argo.run_reader import RunReader
    from riseml.engines.argo.usage_view import ArgoUsageView
    from riseml.engines.argo.volume import StoreVolume
    from riseml.plan import ExperimentSet, Marks
    from riseml.project import Snapshot
    from riseml.project.image_key import ImageKey

_SECRETS = "riseml-secrets"


class ArgoEngine:
    """Runs Workflows in the namespace of a connection.

    The repositories in `home` keep the code that is pushed to the cluster.
    """

    name = "argo"
    build_noun = "image"

    def __init__(self, connection: Connection, home: Path) -> None:
        self.api = Api(connection)
        self.namespace, self.home = connection.namespace, home
        self.user = connection.user
        self.user_namespace = UserNamespace(self.api, self.namespace)
        self.store = StorePod(self.api, self.namespace)
        self.workflows = Workflows(self.api, self.user, self.user_namespace)
        # Threads may share this engine. Each preparation is for one submission.
        self._prepared: list[Preparation] = []

    # Commands that start runs do without these modules.

    @cached_property
    def _reader(self) -> "RunReader":
        from riseml.engines.argo.run_reader import RunReader  # noqa: PLC0415

        return RunReader(self.workflows, self.store, self.home)

    @cached_property
    def _listing(self) -> "Listing":
        from riseml.engines.argo.listing import Listing  # noqa: PLC0415

        return Listing(self._reader)

    def login(self) -> str:
        """Return the name by which the API server knows this person."""
        from riseml.cluster import reviews  # noqa: PLC0415

        return reviews.name_of_user(self.api)

    # Code and submission

    def snapshot(
        self, project: str, folder: Path, *, gitignore: bool = True
    ) -> "Snapshot":
        """Record the code of `folder` in the home, and push it to the user's store."""
        # Only commands that start runs need these.
        from riseml.engines.argo import code  # noqa: PLC0415

        prepared = self._prepare()
        try:
            recorded = self.record(project, folder, gitignore=gitignore)
            # The store takes some time to answer, and this is needed next.
            from riseml.engines.argo import submit  # noqa: F401, PLC0415

            prepared.load_compiler()
            code.push(prepared.store, self.home, project, recorded.revision)
        except BaseException:
            prepared.store.close()
            raise
        # Earlier snapshots may never have been submitted.
        while self._prepared:
            self._prepared.pop().store.close()
        self._prepared.append(prepared)
        return recorded

    def _take_prepared(self) -> "Preparation":
        """Return what the snapshot has prepared, if that is recent, else a new preparation."""
        # No other thread gets the same one.
        with suppress(IndexError):
            prepared = self._prepared.pop()
            if prepared.is_valid:
                return prepared
            prepared.store.close()
        return self._prepare()

    def _prepare(self) -> "Preparation":
        from riseml.engines.argo.preparation import Preparation  # noqa: PLC0415

        namespace, home = self.user_namespace, self.home
        return Preparation(namespace, self.store, self.secrets, home)

    def record(
        self, project: str, folder: Path, *, gitignore: bool = True
    ) -> "Snapshot":
        """Record the code of `folder` in the home alone."""
        from riseml.project import repository_of, snapshot  # noqa: PLC0415

        return snapshot(
            folder,
            repository_of(project, self.home),
            gitignore=gitignore,
            without=(self.home,),
            home=self.home,
        )

    def repository(self, run: SetStatus) -> Path:
        """Return the home's repository, after it has fetched the run's revision from the store."""
        from riseml.engines.argo import code  # noqa: PLC0415

        store = self._reader.store_of(Id(run.user or None, run.number))
        return code.fetch(store, self.home, run.project, run.revision)

    def start(self, submission: Submission) -> Submitted:
        """Compile, number and submit a plan; the cluster has it afterwards."""
        from riseml.engines.argo import submit  # noqa: PLC0415

        prepared = self._take_prepared()
        try:
            secrets, submitter = prepared.answers()
            return submit.start(
                submission,
                self.user_namespace,
                prepared.store,
                home=self.home,
                cache=prepared.documents,
                user=self.user,
                known=secrets,
                submitter=submitter,
            )
        finally:
            prepared.store.close()

    def submit(self, document: dict[str, Any]) -> str:
        """Run a compiled Workflow as it is; return its name."""
        # This imports Hera, which takes half a second.
        from riseml.engines.argo import submit  # noqa: PLC0415

        workflow = submit.create(self.user_namespace, document)
        return str(workflow["metadata"]["name"])

    def image_key(
        self,
        plan: "ExperimentSet",
        revision: str,
        environment: Mapping[str, str],
        base: str | None = None,
    ) -> "ImageKey":
        """Return the key of a plan's image."""
        del environment
        return self._images().key(plan, self.home, revision, base)

    def image(self, key: "ImageKey") -> str | None:
        """Return the image that the registry has for a key."""
        return self._images().build(key).image

    def _images(self) -> "Images":
        from riseml.engines.argo.images import Images  # noqa: PLC0415

        return Images(self.api, self.namespace, self.store, self.user_namespace.target)

    # Runs

    def get(self, run: Id) -> dict[str, Any]:
        """Return the Workflow of a run with its status, the first one if it has several."""
        return self.workflows.documents(run)[0]

    def read(self, run: Id) -> SetStatus:
        """Return one run in full, from the archive if its Workflow is gone."""
        return self._reader.read(run)

    def list(self, query: Query) -> list[SetStatus]:
        """Return runs, newest first."""
        return self._listing.runs(query)

    def latest(self, project: str | None = None) -> Id:
        """Return the newest run."""
        return self._listing.latest(project)

    def changes(self, run: Id) -> Iterator[SetStatus | ExperimentStatus]:
        """Yield the status of a run or experiment now and after every change."""
        previous = None
        for whole_run in self._reader.follow(run):
            status = run_or_experiment(whole_run, run)
            # A change of one experiment is none of the others.
            if status != previous:
                previous = status
                yield status
            if status.state.is_terminal:
                return

    def view(self, run: Id) -> "LiveRun":
        """Return a view of a run that follows its Workflow and its files."""
        # Only `status -w` needs it.
        from riseml.engines.argo.live import LiveRun  # noqa: PLC0415

        return LiveRun(self._reader, run)

    def logs(self, query: LogQuery) -> Iterator[Chunk | Change]:
        """Replay and follow what jobs wrote."""
        from riseml.engines.argo.logs import follow  # noqa: PLC0415

        return follow(self._reader, query)

    def evidence(self, run: Id) -> "Evidence":
        """Return what explains the state of a run, or of a part of it, without logs."""
        from riseml.engines.argo.evidence import gather  # noqa: PLC0415
        from riseml.status.select import pick  # noqa: PLC0415

        status, documents = self._reader.read_with_documents(run)
        namespace = self.workflows.namespace_of(run)
        return gather(self.api, namespace, documents, status, pick(status, run))

    # End and removal

    def stop(self, run: Id, *, force: bool = False) -> bool:
        """Kill a run or one of its experiments; return False if it had already ended."""
        from riseml.engines.argo import stop  # noqa: PLC0415

        return stop.stop(self._reader, run, force=force)

    def release(self, run: SetStatus, jobs: Sequence[str]) -> None:
        """Release jobs of a run that are held after a failure."""
        from riseml.engines.argo import job_files  # noqa: PLC0415

        store = self._reader.store_of(Id(run.user or None, run.number))
        job_files.release(store, run, jobs)

    def records(self, project: str | None = None) -> Iterator[SetStatus]:
        """Yield all runs with all jobs, newest first."""
        from riseml.engines.argo import records  # noqa: PLC0415

        return records.read(self._reader, project)

    def disk_use(
        self,
        removed: Sequence[SetStatus],
        kept: Sequence[SetStatus],
        unused_since: float,
    ) -> "DiskUse":
        """Measure the store, and what removing runs and what is unused would free."""
        from riseml.engines.argo import disk_use  # noqa: PLC0415

        return disk_use.measured(
            self.store,
            self._images(),
            user=self.user,
            last_number=self.user_namespace.number - 1,
            removed=removed,
            kept=kept,
            unused_since=unused_since,
        )

    def usage(self, selected: Id) -> "ArgoUsageView":
        """Return a view of what running jobs use."""
        # Only `monitor` needs it.
        from riseml.engines.argo.usage_view import ArgoUsageView  # noqa: PLC0415

        return ArgoUsageView(self.workflows, selected)

    def mark(self, run: Id, marks: "Marks") -> None:
        """Replace the name, tags and note of a run."""
        from riseml.engines.argo import marks as marks_of_runs  # noqa: PLC0415

        marks_of_runs.change(self._reader, run, marks)

    def delete(self, run: Id) -> None:
        """Remove an ended run: its Workflow, its logs, its output."""
        status, documents = self._reader.read_with_documents(run)
        if not status.state.is_terminal:
            raise RiseMLError(
                f"{status.id} has not ended (it is {status.state})",
                f"`riseml kill {status.id}` ends it.",
            )
        archive.remove(self._reader.store_of(run), status)
        for document in documents:
            self.api.delete(path_of(document), propagationPolicy="Background")

    def prune_unused(self, before: float) -> Pruned:
        """Remove images unused since `before` (Unix seconds), and code without runs.

        Nothing is removed while a run is active, because it may be about to use what
        looks unused.
        """
        # Other commands do not need these.
        from riseml.engines.argo import code  # noqa: PLC0415
        from riseml.project import tidy  # noqa: PLC0415

        active = self.list(Query())
        if active:
            ids = ", ".join(run.id for run in reversed(active))
            return Pruned(
                0, (f"Kept images and code, because runs are active: {ids}.",)
            )
        revisions = self._revisions_in_use()
        code.prune(self.store, revisions)
        # The next push would bring everything back if the home still had it.
        notes = [pruned.describe() for pruned in tidy(self.home, revisions)]
        notes.append("Kept code in the store that was pushed within the last hour.")
        return Pruned(self._images().prune_unused(before), tuple(notes))

    def _revisions_in_use(self) -> set[str]:
        revisions = archive.revisions(self.store, self.user)
        for workflow in self.workflows.metadata(self.namespace):
            annotations = workflow["metadata"].get("annotations", {})
            # A Workflow that was submitted as it is has no code.
            revisions.add(annotations.get(labels.REVISION, ""))
        return revisions - {""}

    # Secrets and files

    def secrets(self) -> Iterable[str]:
        """Return the names of the user's secrets."""
        return [*data_of(self.api, self._secrets_path)]

    def set_secret(self, name: str, value: str | None) -> bool:
        """Set a secret, or remove it if `value` is None; return whether it existed."""
        existed = name in self.secrets()
        data = None if value is None else base64.b64encode(value.encode()).decode()
        self.api.patch(self._secrets_path, {"data": {name: data}})
        return existed

    @property
    def _secrets_path(self) -> str:
        return path("secrets", self.namespace, _SECRETS)

    def volume(self, name: str) -> "StoreVolume":
        """Return the complete volume that jobs see as `/data` or `/output`."""
        from riseml.engines.argo.volume import StoreVolume  # noqa: PLC0415

        return StoreVolume(self.store, f"/{name}")

    def access(self, run: SetStatus, job: JobStatus) -> "PodAccess":
        """Return access to a running job of a run."""
        # Only `exec`, `shell` and `port-forward` need it.
        from riseml.engines.argo import access  # noqa: PLC0415

        namespace = self.workflows.namespace_of(Id(run.user, run.number))
        return access.open_access(self.api, namespace, run, job)

    # TensorBoard

    def open_tensorboard(
        self, run: Id, port: int, notify: Callable[[str], None]
    ) -> "Forwarding | None":
        """Return a local port that leads to the TensorBoard of a run, None if it has none."""
        from riseml.engines.argo import tensorboard  # noqa: PLC0415

        return tensorboard.connect(self._reader, run, port, notify)

    def events(self, run: Id, folder: Path) -> Callable[[], bool]:
        """Return a function that copies new TensorBoard events of a run to `folder`."""
        from riseml.engines.argo import tensorboard  # noqa: PLC0415

        status = self.read(Id(run.user, run.number))
        selected = run_or_experiment(status, run)
        if isinstance(selected, ExperimentStatus):
            source = folder_of(status, selected)
        else:
            source = status.folder
        return partial(tensorboard.fetch, self._reader.store_of(run), source, folder)
