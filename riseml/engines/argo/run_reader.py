"""Reader of runs: combines their Workflows with pods, live results and the archive.

    Workflows ──status.read──▶ SetStatus ──live_results──▶ ──pods──▶ complete status
    none left ──▶ archive in the output volume

The first reader of an ended run also archives it.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from riseml import status
from riseml.cluster import argo_server
from riseml.cluster.api import Object
from riseml.cluster.store import StorePod
from riseml.dataclass import replace
from riseml.engines.argo import (
    archive,
    deleted_workflow,
    job_files,
    pods,
    queue_stops,
    shards,
    workdir_notes,
)
from riseml.engines.argo.workflows import Workflows
from riseml.errors import NotFoundError, UnreachableError
from riseml.ids import Id
from riseml.status import SetStatus, State
from riseml.status.shards import merged

T = TypeVar("T")

_WATCH_SECONDS = 240
# A waiting run is read more often: no change of its Workflow says what delays a job.
_WAITING_WATCH_SECONDS = 25
_RETRY_SECONDS = 1.0
# A run is followed through an outage of the cluster that is no longer than this.
_OUTAGE_SECONDS = 60.0


class RunReader:
    """Reads and follows runs.

    `store` is the store of the user's own namespace. `home` keeps how far the files of
    runs have been read for metrics.
    """

    def __init__(
        self, workflows: Workflows, store: StorePod, home: Path = Path("/nonexistent")
    ) -> None:
        self.workflows, self.store, self.home = workflows, store, home

    def store_of(self, run: Id) -> StorePod:
        """Return the store of the user whose run it is."""
        return self._store_in(self.workflows.namespace_of(run))

    def _store_in(self, namespace: str) -> StorePod:
        if namespace == self.workflows.namespace:
            return self.store
        return StorePod(self.workflows.api, namespace)

    def read(self, run_id: Id) -> SetStatus:
        """Return the complete status of a run, from the archive if its Workflow is gone.

        Raises:
            NotFoundError: there is no such run.
        """
        run, _ = self.read_with_documents(run_id)
        return run

    def read_with_documents(self, run_id: Id) -> tuple[SetStatus, list[Object]]:
        """Return the complete status of a run and its Workflows, none if it is archived.

        Raises:
            NotFoundError: there is no such run.
        """
        try:
            documents = self.workflows.documents(run_id)
        except NotFoundError:
            archived = archive.read(self.store_of(run_id), run_id)
            if archived is None:
                raise
            return self._from_archive(archived), []
        run = self._complete(documents, self.combined(documents))
        page = self._page(documents[0]["metadata"])
        return replace(run, page=page), documents

    def _from_archive(self, archived: SetStatus) -> SetStatus:
        if not deleted_workflow.is_lost(archived):
            return archived
        store = self.store_of(Id(archived.user, archived.number))
        lost = deleted_workflow.with_files(store, archived)
        if not lost.metrics:
            return lost
        return self._with_metrics(store, lost) or lost

    def combined(self, documents: list[Object]) -> SetStatus:
        """Return what Workflows say about their run, and its archive about those that are gone."""
        run = read_documents(documents)
        if shards.are_complete(documents):
            return run
        store = self._store_in(documents[0]["metadata"]["namespace"])
        archived = archive.read(store, Id(run.user, run.number))
        if archived is None:
            return run
        if deleted_workflow.is_lost(archived):
            others = deleted_workflow.without_shards(archived, documents)
            return merged([others, run])
        covered = [shard.index for shard in archived.workflows]
        later = []
        for document in documents:
            if shards.index_of(document) not in covered:
                later.append(status.read(document))
        return merged([archived, *later])

    def _page(self, metadata: Object) -> str | None:
        """Return the address of a Workflow for browsers, None without an Argo Server."""
        connection = self.workflows.api.connection
        return argo_server.page(connection, metadata["namespace"], metadata["name"])

    def follow(self, run_id: Id) -> Iterator[SetStatus]:
        """Yield the status of a run now and after every change, through short outages.

        Raises:
            NotFoundError: there is no such run.
            UnreachableError: the cluster has not answered for a minute.
        """
        while True:
            try:
                yield from self.follow_documents(run_id, self.followed)
            except NotFoundError:
                # A Workflow is gone, with others of its run or not: the archive has it.
                run = self.read(run_id)
                yield run
                if run.state.is_terminal:
                    return

    def follow_documents(
        self, run_id: Id, convert: Callable[[list[Object]], T]
    ) -> Iterator[T]:
        """Yield what `convert` makes of a run's Workflows now and after every change.

        Raises:
            NotFoundError: a Workflow is gone, or there is no such run.
            UnreachableError: the cluster has not answered for a minute.
        """
        outage_began: float | None = None
        while True:
            try:
                documents = self.workflows.documents(run_id)
                outage_began = None
                yield convert(documents)
                is_running = read_documents(documents).state is State.RUNNING
                seconds = _WATCH_SECONDS if is_running else _WAITING_WATCH_SECONDS
                for changed in self.workflows.watch(documents, seconds):
                    yield convert(changed)
            except UnreachableError:
                now = time.monotonic()
                outage_began = now if outage_began is None else outage_began
                if now - outage_began > _OUTAGE_SECONDS:
                    raise
                time.sleep(_RETRY_SECONDS)

    def followed(self, documents: list[Object]) -> SetStatus:
        """Return the status for a follower: live results are read only at the end."""
        run = self.combined(documents)
        if run.state.is_terminal:
            return self._complete(documents, run)
        if run.state is State.RUNNING:
            return run
        return self._explain(documents, run)

    def _complete(self, documents: list[Object], run: SetStatus) -> SetStatus:
        namespace = documents[0]["metadata"]["namespace"]
        store = self._store_in(namespace)
        if run.state.is_terminal and archive.is_archived(documents):
            return self._explain(documents, self.with_archived(documents, run))
        # Lists do without the results of running jobs.
        from riseml.engines.argo import live_results  # noqa: PLC0415

        reported = live_results.with_results(store, run)
        complete = reported
        if reported is not None and run.metrics:
            complete = self._with_metrics(store, reported)
        noted = workdir_notes.with_notes(store, complete or reported or run)
        explained = job_files.with_files(
            store, self._explain(documents, noted), reads_pods=True
        )
        # The archive must have all results, so a store that is away must be back first.
        if run.state.is_terminal and complete is not None:
            has_more = explained != run
            archive.write(
                self.workflows.api,
                namespace,
                store,
                documents,
                explained,
                has_more=has_more,
            )
        return explained

    def with_archived(self, documents: list[Object], run: SetStatus) -> SetStatus:
        """Return an archived run with the results that its documents lack."""
        is_current = archive.is_archived(documents)
        if not is_current or not archive.is_complete_elsewhere(documents):
            return run
        store = self._store_in(documents[0]["metadata"]["namespace"])
        archived = archive.read(store, Id(run.user, run.number))
        if archived is None:
            return run
        results = {experiment.id: experiment for experiment in archived.experiments}
        experiments = []
        for experiment in run.experiments:
            kept = results.get(experiment.id, experiment)
            experiments.append(
                replace(
                    experiment,
                    result=kept.result,
                    measured=kept.measured,
                    notes=kept.notes,
                    reason=kept.reason,
                    message=kept.message,
                    jobs=kept.jobs,
                )
            )
        return replace(run, experiments=tuple(experiments))

    def _with_metrics(self, store: StorePod, run: SetStatus) -> SetStatus | None:
        # Few runs name metrics.
        from riseml.engines.argo.metric_files import (  # noqa: PLC0415
            MetricFiles,
            cache_file,
        )

        cache = cache_file(self.home, run, store.namespace)
        return MetricFiles(store, run, cache).read()

    def _explain(self, documents: list[Object], run: SetStatus) -> SetStatus:
        namespace = documents[0]["metadata"]["namespace"]
        api = self.workflows.api
        run = queue_stops.explained(api, namespace, documents, run)
        return pods.explained(api, namespace, documents, run, api.clock.now())


def read_documents(documents: list[Object]) -> SetStatus:
    """Return what the Workflows of a run say about it."""
    return merged(list(map(status.read, documents)))
