"""Lists of runs: ended runs are read from the metadata of their Workflows if that is enough.

Argo writes a Workflow's phase into its labels. If the run has no kills and its jobs do
not stop each other, the phase determines the state of the run. Every other Workflow is
read in full.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime

from riseml import labels, marks
from riseml.cluster import PREFIX, namespace_of
from riseml.cluster.api import Api, Object, path
from riseml.engines import Query
from riseml.engines.argo import archive, shards
from riseml.engines.argo.run_reader import RunReader
from riseml.engines.argo.workflows import no_access, number_of
from riseml.errors import NotAllowedError, NotFoundError
from riseml.excerpts import excerpt
from riseml.ids import Id
from riseml.status import SetStatus, State

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
        selector = _selector(Query(project=project))
        workflows = self._workflows.metadata(self._workflows.namespace, selector)
        number = max(map(number_of, workflows), default=None)
        if number is None:
            archived = self._archived(Query(project=project))
            number = max(map(_number, archived), default=0)
        if not number:
            raise NotFoundError(
                "there are no experiments yet", "`riseml train` starts one."
            )
        return Id(number=number)

    def _runs_of_everyone(self, query: Query) -> list[SetStatus]:
        runs = []
        for namespace in user_namespaces(self._workflows.api):
            runs += self._runs_in(namespace, query)
        runs.sort(key=_created, reverse=True)
        return runs[: query.limit]

    def _runs_in(self, namespace: str, query: Query) -> list[SetStatus]:
        workflows = self._workflows.metadata(namespace, _selector(query))
        completed, runs = [], []
        for shards_of_run in _by_number(workflows):
            if all(map(_is_completed, shards_of_run)):
                completed.append(shards_of_run)
                continue
            run = self._read(shards_of_run, query)
            if query.all or not run.state.is_terminal:
                runs.append(run)
        if query.all:
            runs += self._ended(namespace, completed, query)
        runs.sort(key=_number, reverse=True)
        return runs[: query.limit]

    def _ended(
        self, namespace: str, completed: list[list[Object]], query: Query
    ) -> Iterator[SetStatus]:
        """Yield the newest ended runs: those with Workflows, then the archived ones."""
        completed = sorted(completed, key=_number_of_run, reverse=True)
        for shards_of_run in completed[: query.limit]:
            yield self._ended_run(shards_of_run, query)
        has_enough = 0 < query.last <= len(completed)
        # Other users' stores cannot be read, so their archives are left out.
        if has_enough or namespace != self._workflows.namespace:
            return
        numbers = set(map(_number_of_run, completed))
        for run in self._archived(query):
            if run.number not in numbers:
                yield run

    def _ended_run(self, shards_of_run: list[Object], query: Query) -> SetStatus:
        run = None
        is_single = len(shards_of_run) == 1 and shards.are_complete(shards_of_run)
        if is_single and not query.experiments:
            run = _from_metadata(shards_of_run[0])
        return run or self._read(shards_of_run, query)

    def _archived(self, query: Query) -> Iterator[SetStatus]:
        return archive.runs(self._reader.store, self._workflows.user, query)

    def _read(self, shards_of_run: list[Object], query: Query) -> SetStatus:
        documents = self._workflows.in_full(shards_of_run)
        run = self._reader.combined(sorted(documents, key=shards.order))
        if query.experiments:
            run = self._reader.with_archived(documents, run)
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
    selected = [labels.NUMBER, *map(marks.tag_label, query.tags)]
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


def _from_metadata(workflow: Object) -> SetStatus | None:
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
    )
