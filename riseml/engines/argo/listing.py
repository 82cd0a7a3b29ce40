"""Lists of runs: of what has ended only metadata travels, where that says all that a list shows.

Argo writes a Workflow's phase into its labels. With an empty kill list, and jobs that do not end each other, the phase
of the whole tells the state of the run; any other Workflow is read in full.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from riseml import labels, status
from riseml.cluster import PREFIX, namespace_of
from riseml.cluster.api import CACHED, Api, Object, path
from riseml.engines import Query
from riseml.engines.argo import archive, shards
from riseml.errors import NotAllowedError, NotFoundError
from riseml.status import SetStatus, State

if TYPE_CHECKING:
    from riseml.engines.argo.engine import ArgoEngine

COMPLETED = "workflows.argoproj.io/completed"
_STATES = {"Succeeded": State.FINISHED, "Failed": State.FAILED, "Error": State.FAILED}


def runs(engine: "ArgoEngine", query: Query) -> list[SetStatus]:
    """Return the runs that a query asks for, newest first."""
    if query.everyone:
        found = [
            run
            for namespace in users(engine.api)
            for run in _of(engine, namespace, query)
        ]
        found.sort(key=_age, reverse=True)
        return found[: query.last] if query.last else found
    if query.user in (None, engine.user):
        return _of(engine, engine.namespace, query)
    try:
        return _of(engine, namespace_of(query.user or ""), query)
    except NotFoundError:
        raise NotFoundError(f"there is no user {query.user}") from None
    except NotAllowedError:
        raise NotAllowedError(
            f"{query.user}'s experiments are not for you",
            "Administrators may see them.",
        ) from None


def users(api: Api) -> list[str]:
    """Return the namespaces of all users.

    Raises:
        NotAllowedError: they are not for whoever asks.
    """
    try:
        found = list(
            api.items(path("namespaces"), metadata=True, labelSelector=labels.USER)
        )
    except NotAllowedError:
        raise NotAllowedError(
            "other users' experiments are not for you", "Administrators may see them."
        ) from None
    return [
        each["metadata"]["name"]
        for each in found
        if each["metadata"]["name"].startswith(PREFIX)
    ]


def _age(run: SetStatus) -> float:
    return run.created.timestamp() if run.created else 0.0


def _of(engine: "ArgoEngine", namespace: str, query: Query) -> list[SetStatus]:
    chosen = [labels.NUMBER]
    if query.project:
        chosen.append(f"{labels.PROJECT}={query.project}")
    runs = _by_number(known(engine, namespace, ",".join(chosen)))
    ended = [each for each in runs if all(map(_is_completed, each))]
    found = [_read(_full(engine, each), query) for each in runs if each not in ended]
    if query.all:
        found += list(_ended(engine, namespace, ended, query))
    else:
        found = [run for run in found if not run.state.is_terminal]
    found.sort(key=lambda run: run.number or 0, reverse=True)
    return found[: query.last] if query.last else found


def _by_number(found: Iterable[Object]) -> list[list[Object]]:
    """Return Workflows by the run that they belong to."""
    runs: dict[int, list[Object]] = {}
    for each in found:
        runs.setdefault(number_of(each), []).append(each)
    return list(runs.values())


def _is_completed(workflow: Object) -> bool:
    return bool(workflow["metadata"]["labels"].get(COMPLETED) == "true")


def number_of(workflow: Object) -> int:
    """Return the number of the run that a Workflow belongs to."""
    return int(workflow["metadata"]["labels"][labels.NUMBER])


def known(engine: "ArgoEngine", namespace: str, selector: str) -> list[Object]:
    """Return the metadata of a user's Workflows: from the API server's memory, unless that lacks the newest run.

    Reading all of them from the cluster's database takes seconds where there are a thousand.
    """
    at = path("workflows", namespace)
    quick = list(
        engine.api.items(
            at, metadata=True, labelSelector=selector, resourceVersion=CACHED
        )
    )
    newest = engine.place.number - 1 if namespace == engine.namespace else 0
    engine.place.forget()
    if max(map(number_of, quick), default=0) >= newest or selector != labels.NUMBER:
        return quick
    return list(engine.api.items(at, metadata=True, labelSelector=selector))


def _full(engine: "ArgoEngine", found: list[Object]) -> list[Object]:
    """Return the Workflows of a run in full."""
    at = path("workflows", found[0]["metadata"]["namespace"])
    chosen = f"{labels.NUMBER}={number_of(found[0])}"
    return list(engine.api.items(at, labelSelector=chosen, resourceVersion=CACHED))


def _ended(
    engine: "ArgoEngine", namespace: str, ended: list[list[Object]], query: Query
) -> Iterator[SetStatus]:
    ended = sorted(ended, key=lambda each: number_of(each[0]), reverse=True)
    for each in ended[: query.last or None]:
        told = None if query.experiments or len(each) > 1 else _by_metadata(each[0])
        yield told or _read(_full(engine, each), query)
    if (not query.last or len(ended) < query.last) and namespace == engine.namespace:
        numbers = {number_of(each[0]) for each in ended}
        yield from (
            run
            for run in archive.runs(engine.store, engine.user, query)
            if run.number not in numbers
        )


def _read(documents: list[Object], query: Query) -> SetStatus:
    whole = shards.merged(
        [status.read(each) for each in sorted(documents, key=shards.order)]
    )
    return replace(
        whole, jobs=(), experiments=whole.experiments if query.experiments else ()
    )


def _by_metadata(each: Object) -> SetStatus | None:
    """Return an ended run by what its metadata says, None where that is not enough."""
    metadata = each["metadata"]
    tags, notes = metadata.get("labels", {}), metadata.get("annotations", {})
    state = _STATES.get(tags.get(labels.PHASE, ""))
    is_gang = tags.get(labels.GANG) == "true"
    if (
        state is None
        or notes.get(labels.KILLED)
        or (is_gang and state is not State.FINISHED)
    ):
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
    )
