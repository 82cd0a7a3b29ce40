"""Archive of ended runs: `run.json` beside a run's record in the output volume.

Nothing in the cluster writes it: the first reader of an ended run does, and then sets the
time after which Argo deletes the Workflow (`ttlStrategy`).
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from riseml.cluster.api import Api, Object, path
from riseml.cluster.pod_exec import CommandError
from riseml.cluster.store import StorePod
from riseml.engines import Query
from riseml.engines.argo import shards
from riseml.errors import NotAllowedError, NotFoundError, RiseMLError
from riseml.ids import Id
from riseml.status import SetStatus
from riseml.status.data import encode, from_data, to_data

# Annotation of a Workflow whose run is archived: when that run ended.
ARCHIVED = "riseml.io/archived"
# Annotation of a Workflow whose archived run has results that the Workflow lacks.
HAS_MORE = "riseml.io/archive-has-more"
FILE = "run.json"
SCHEMA = 1
_DAY_SECONDS = 86_400
TTL = {
    "secondsAfterSuccess": 14 * _DAY_SECONDS,
    "secondsAfterFailure": 30 * _DAY_SECONDS,
}
_WRITE = """
cd "/output/$1"; umask 022
cat > .run.json.part; mv -f .run.json.part run.json
"""
_FIND = """
cd "/output/$1" 2> /dev/null || exit 0
for file in */[0-9]*/run.json; do [ ! -f "$file" ] || { cat "$file"; echo; }; done
"""
_READ = """
cd "/output/$1" 2> /dev/null || exit 0
for file in */"$2"/run.json; do [ ! -f "$file" ] || { cat "$file"; echo; }; done
"""
_NUMBERS = """
cd "/output/$1" 2> /dev/null || exit 0
for folder in */[0-9]*/; do echo "$folder"; done
"""
_REMOVE = 'cd /output; rm -rf -- "./$1"'


def write(
    api: Api,
    namespace: str,
    store: StorePod,
    documents: Sequence[Object],
    run: SetStatus,
    *,
    has_more: bool = False,
) -> None:
    """Archive an ended run unless it is archived.

    `has_more` says that its Workflows lack some of its results. Errors are ignored: the next reader tries again.
    """
    names = _not_archived(documents)
    if not names or run.number is None or not run.user:
        return
    if not all(document.get("status", {}).get("finishedAt") for document in documents):
        # Argo has not written its last status yet.
        return
    annotations = _annotations(run)
    if has_more:
        annotations[HAS_MORE] = "true"
    body: dict[str, Any] = {
        "metadata": {"annotations": annotations},
        "spec": {"ttlStrategy": TTL},
    }
    try:
        rewrite(store, run)
        for name in names:
            api.patch(path("workflows", namespace, name), body)
    except RiseMLError:
        return


def _annotations(run: SetStatus) -> dict[str, str]:
    """Return the annotations of an archived run: when it ended, and its last Workflow."""
    ended = run.finished or run.created
    annotations = {ARCHIVED: ended.isoformat() if ended else "yes"}
    if run.shards:
        annotations[shards.LAST] = str(run.shards[-1].index)
    return annotations


def rewrite(store: StorePod, run: SetStatus) -> None:
    """Write the record of an ended run.

    Raises:
        RiseMLError: the store cannot be reached.
    """
    data = json.dumps(
        {"schema": SCHEMA, **to_data(run)},
        default=encode,
        ensure_ascii=False,
        separators=(",", ":"),
    )
    store.script(_WRITE, run.folder, stdin=[data.encode()])


def is_complete_elsewhere(documents: Sequence[Object]) -> bool:
    """Return whether the archive has results that a run's Workflows lack."""
    # All Workflows of a run get the annotation.
    annotations = documents[0]["metadata"].get("annotations", {})
    return HAS_MORE in annotations


def is_archived(documents: Sequence[Object]) -> bool:
    """Return whether an ended run is in the archive."""
    return not _not_archived(documents)


def _not_archived(documents: Sequence[Object]) -> list[str]:
    names = []
    for document in documents:
        metadata = document["metadata"]
        if not metadata.get("annotations", {}).get(ARCHIVED):
            names.append(metadata["name"])
    return names


def reopen(api: Api, workflows: Sequence[Object], last_shard: int) -> None:
    """Note in the Workflows of a run that it gets another one, given their metadata.

    Argo must not delete them before the run is archived again.
    """
    body: dict[str, Any] = {
        "metadata": {"annotations": {ARCHIVED: None, shards.LAST: str(last_shard)}},
        "spec": {"ttlStrategy": None},
    }
    for workflow in workflows:
        metadata = workflow["metadata"]
        api.patch(path("workflows", metadata["namespace"], metadata["name"]), body)


def read(store: StorePod, run: Id) -> SetStatus | None:
    """Return an archived run, None if it is not in the archive."""
    user = run.user or store.namespace.removeprefix("riseml-")
    return next(_records(store, _READ, user, str(run.number)), None)


def runs(store: StorePod, user: str, query: Query) -> Iterator[SetStatus]:
    """Yield a user's archived runs that a query selects."""
    return filter(query.selects, _records(store, _FIND, user))


def revisions(store: StorePod, user: str) -> set[str]:
    """Return the revisions of the code of all archived runs.

    Raises:
        RiseMLError: the archive cannot be read.
    """
    revisions = {""}
    for run in _parsed(store.script(_FIND, user)):
        revisions.update(shard.revision for shard in run.workflows)
    return revisions - {""}


def last_number(store: StorePod, user: str) -> int:
    """Return the greatest number of the runs with output in the volume, 0 if there are none."""
    last = 0
    for line in store.script(_NUMBERS, user).decode(errors="replace").splitlines():
        # Lines have the form `<project>/<number>/`.
        _, _, number = line.removesuffix("/").partition("/")
        if number.isdecimal():
            last = max(last, int(number))
    return last


def remove(store: StorePod, run: SetStatus) -> None:
    """Delete all output of a run."""
    if run.user and run.number is not None:
        store.script(_REMOVE, run.folder)


def _records(store: StorePod, script: str, *arguments: str) -> Iterator[SetStatus]:
    try:
        lines = store.script(script, *arguments)
    except (CommandError, NotFoundError, NotAllowedError):
        return
    yield from _parsed(lines)


def _parsed(lines: bytes) -> Iterator[SetStatus]:
    for line in lines.splitlines():
        try:
            yield from_data(json.loads(line))
        except (ValueError, KeyError, TypeError):
            # One damaged record must not hide the others.
            continue
