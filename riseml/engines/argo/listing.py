"""Lists of runs: ended runs are read from the metadata of their Workflows if that is enough.

Argo writes a Workflow's phase into its labels. If the run has no kills and its jobs do
not stop each other, the phase determines the state of the run. Every other Workflow is
read in full.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime

from riseml import labels, marks
from riseml.cluster import PREFIX, namespace_of
from riseml.cluster.api import Api, Object, path
from riseml.dataclass import replace
from riseml.engines import Query
from riseml.engines.argo import (
    adoption,
    archive,
    deleted_workflow,
    job_files,
    shards,
)
from riseml.engines.argo.run_reader import RunReader
from riseml.engines.argo.workflows import RUNS, no_access, number_of
from riseml.errors import NotAllowedError, NotFoundError, UnreachableError
from riseml.excerpts import excerpt
from riseml.ids import Id
from riseml.status import SetStatus, State, held, idleness, submitter

COMPLETED = "workflows.argoproj.io/completed"
_STATES = {"Succeeded": State.FINISHED, "Failed": State.FAILED, "Error": State.FAILED}


class Listing:
    """Lists the runs of users."""

    def __init__(self, reader: RunReader) -> None:
        self._reader, self._workflows = reader, reader.workflows

    def runs(self, query: Query) -> list[SetStatus]:
        """Return the runs that a query asks for, newest first.

        Raises:
            NotAllowedError: the user may not see the runs of others.
            NotFoundError: there is no user of the query's name.
        """
        if query.everyone:
            return self._runs_of_everyone(query)
        if query.user in (None, self._workflows.user):
            self._adopt()
            return self._runs_in(self._workflows.namespace, query)
        try:
            return self._runs_in(namespace_of(query.user), query)
        except NotFoundError:
            raise NotFoundError(
                f"there is no user {excerpt(query.user or '')}"
            ) from None
        except NotAllowedError:
            raise no_access(f"{query.user}'s experiments") from None

    def latest(self, project: str | None = None) -> Id:
        """Return the id of the user's newest run, in a project if one is given.

        Raises:
            NotFoundError: there are no runs.
        """
        self._adopt()
        selector = _selector(Query(project=project))
        workflows = self._workflows.metadata(self._workflows.namespace, selector)
        number = max(map(number_of, workflows), default=None)
        if number is None:
            archived = self._archived(Query(project=project), set())
            number = max(map(_number, archived), default=0)
        if not number:
            raise NotFoundError(
                "there are no experiments yet", "`riseml train` starts one."
            )
        return Id(number=number)

    def _adopt(self) -> None:
        """Number runs that Argo has made from a document of RiseML."""
        workflows, store = self._workflows, self._reader.store
        # Without the store they have no output either. They are listed when it runs again.
        with suppress(UnreachableError):
            adoption.adopt(workflows.user_namespace, store, workflows.user)

    def _runs_of_everyone(self, query: Query) -> list[SetStatus]:
        runs = []
        for namespace in user_namespaces(self._workflows.api):
            runs += self._runs_in(namespace, query)
        runs.sort(key=_created, reverse=True)
        return runs[: query.limit]

    def _runs_in(self, namespace: str, query: Query) -> list[SetStatus]:
        workflows = self._workflows.metadata(namespace, _selector(query))
        completed, unfinished = [], []
        for shards_of_run in _by_number(workflows):
            if not all(map(_is_completed, shards_of_run)):
                unfinished.append(_number_of_run(shards_of_run))
                continue
            self._renew_record(namespace, shards_of_run)
            completed.append(shards_of_run)
        runs = []
        for run in self._read(namespace, unfinished, query):
            if query.all or not run.state.is_terminal:
                runs.append(run)
        if query.all:
            listed = set(map(number_of, workflows))
            runs += self._ended(namespace, completed, listed, query)
        runs.sort(key=_number, reverse=True)
        return runs[: query.limit]

    def _ended(
        self,
        namespace: str,
        completed: list[list[Object]],
        listed: set[int],
        query: Query,
    ) -> Iterator[SetStatus]:
        """Yield the newest ended runs: those with Workflows, then the archived ones.

        `listed` are the numbers of all runs that have Workflows.
        """
        newest = sorted(completed, key=_number_of_run, reverse=True)[: query.limit]
        by_number = {_number_of_run(workflows): workflows for workflows in newest}
        # Other users' stores cannot be read, so their archives are left out.
        is_own = namespace == self._workflows.namespace
        if not query.experiments:
            runs = _from_metadata(by_number)
        elif is_own:
            runs = self._from_archive(by_number)
        else:
            runs = []
        yield from runs
        remaining = by_number.keys() - set(map(_number, runs))
        yield from self._read(namespace, remaining, query)
        has_enough = 0 < query.last <= len(completed)
        if is_own and not has_enough:
            yield from self._archived(query, listed)

    def _from_archive(self, by_number: Mapping[int, list[Object]]) -> list[SetStatus]:
        """Return the runs that are archived as they are now, with their experiments.

        One command in the store prints all of them. Their documents are 20 times as long.
        """
        current = []
        for number, workflows in by_number.items():
            if archive.is_archived(workflows):
                current.append(number)
        if not current:
            return []
        store, user = self._reader.store, self._workflows.user
        archived: list[SetStatus] = []
        # Without the store, the documents say as much.
        with suppress(UnreachableError):
            archived.extend(archive.numbered(store, user, current))
        runs = {}
        for run in archived:
            number = _number(run)
            # A copy of a folder has the record of another run. Without its last record,
            # the archive knows only how the run began.
            if number in by_number and not deleted_workflow.is_lost(run):
                metadata = by_number[number][0]["metadata"]
                runs[number] = replace(run, jobs=(), marks=marks.read(metadata))
        return list(runs.values())

    def _renew_record(self, namespace: str, shards_of_run: list[Object]) -> None:
        """Archive a run once more that has ended again, after `argo retry`.

        Argo may delete its Workflow, and the archive has its first end.
        """
        # Only users write to their stores.
        is_own = namespace == self._workflows.namespace
        if is_own and archive.is_outdated(shards_of_run):
            self._reader.read(Id(number=number_of(shards_of_run[0])))

    def _archived(self, query: Query, listed: set[int]) -> Iterator[SetStatus]:
        """Yield the archived runs without a Workflow."""
        store, user = self._reader.store, self._workflows.user
        for run in archive.runs(store, user, query, except_for=listed):
            if run.number not in listed:
                yield run

    def _read(
        self, namespace: str, numbers: Iterable[int], query: Query
    ) -> Iterator[SetStatus]:
        """Yield runs that are read from their documents."""
        for documents in self._workflows.of_runs(namespace, numbers):
            yield self._from_documents(documents, query)

    def _from_documents(self, documents: list[Object], query: Query) -> SetStatus:
        run = self._reader.combined(documents)
        if query.experiments:
            run = self._reader.with_archived(documents, run)
        if run.state is State.RUNNING:
            store = self._reader.store_of(Id(run.user, run.number))
            run = job_files.with_files(store, run)
            run = held.with_mark(run, run.experiments)
            run = idleness.with_mark(run, run.experiments)
        experiments = run.experiments if query.experiments else ()
        return replace(run, jobs=(), experiments=experiments)


def user_namespaces(api: Api) -> list[str]:
    """Return the namespaces of all users.

    Raises:
        NotAllowedError: the user may not list them.
    """
    try:
        namespaces = list(
            api.items(path("namespaces"), metadata=True, labelSelector=labels.USER)
        )
    except NotAllowedError:
        raise no_access("other users' experiments") from None
    names = []
    for namespace in namespaces:
        name = namespace["metadata"]["name"]
        if name.startswith(PREFIX):
            names.append(name)
    return names


def _selector(query: Query) -> str:
    """Return the label selector of the runs that a query asks for."""
    selected = [RUNS, *map(marks.tag_label, query.tags)]
    if query.project:
        selected.append(f"{labels.PROJECT}={query.project}")
    if query.name:
        selected.append(f"{labels.NAME}={query.name}")
    return ",".join(selected)


def _number(run: SetStatus) -> int:
    return run.number or 0


def _created(run: SetStatus) -> float:
    return run.created.timestamp() if run.created else 0.0


def _by_number(workflows: Iterable[Object]) -> list[list[Object]]:
    """Group Workflows by the run to which they belong."""
    runs: dict[int, list[Object]] = {}
    for workflow in workflows:
        runs.setdefault(number_of(workflow), []).append(workflow)
    return list(runs.values())


def _number_of_run(shards_of_run: list[Object]) -> int:
    return number_of(shards_of_run[0])


def _is_completed(workflow: Object) -> bool:
    return bool(workflow["metadata"]["labels"].get(COMPLETED) == "true")


def _from_metadata(by_number: Mapping[int, list[Object]]) -> list[SetStatus]:
    """Return the ended runs for which their Workflows' metadata is enough."""
    runs = []
    for workflows in by_number.values():
        # One Workflow may be only a part of its run.
        if len(workflows) == 1 and shards.are_complete(workflows):
            run = _ended_run(workflows[0])
            runs += [run] if run else []
    return runs


def _ended_run(workflow: Object) -> SetStatus | None:
    """Return an ended run from its Workflow's metadata, None if that is not enough."""
    metadata = workflow["metadata"]
    tags = metadata.get("labels", {})
    state = _STATES.get(tags.get(labels.PHASE, ""))
    if state is None or metadata.get("annotations", {}).get(labels.KILLED):
        return None
    # Which job of a gang failed, and which were only stopped, is in the document.
    if tags.get(labels.GANG) == "true" and state is not State.FINISHED:
        return None
    return SetStatus(
        id=tags[labels.NUMBER],
        name=metadata["name"],
        user=tags.get(labels.USER, ""),
        project=tags.get(labels.PROJECT, ""),
        number=int(tags[labels.NUMBER]),
        is_set=tags.get(labels.KIND) == "set",
        state=state,
        created=datetime.fromisoformat(metadata["creationTimestamp"]),
        marks=marks.read(metadata),
        submitter=submitter.read(tags, metadata.get("annotations", {})),
    )
