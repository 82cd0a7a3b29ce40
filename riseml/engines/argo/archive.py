"""Archive of ended runs: `run.json` beside a run's record in the output volume.

Nothing in the cluster writes it: the first reader of an ended run does, and then sets the
time after which Argo deletes the Workflow (`ttlStrategy`).
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import filterfalse
from typing import Any

from riseml.cluster.api import Api, Object, path
from riseml.cluster.command_error import CommandError
from riseml.cluster.store import StorePod
from riseml.engines import Query
from riseml.engines.argo import deleted_workflow, shards
from riseml.errors import NotAllowedError, NotFoundError, RiseMLError
from riseml.ids import Id
from riseml.status import SetStatus
from riseml.status.data import encode, from_data, to_data

# Annotation of a Workflow whose run is archived: when that run ended.
ARCHIVED = "riseml.io/archived"
# Annotation of an archived Workflow: its generation, which grows with every change of its spec
# or status, and so when `argo retry` starts it anew.
GENERATION = "riseml.io/archived-generation"
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
# Reads numbers up to `end`. With `$2` 1, the runs are those that have one of them, with 0 the others.
# A cat for each run would take longer than all the rest.
_FIND = r"""
cd "/output/$1" 2> /dev/null || exit 0
{ sed '/^end$/q'; printf '%s\n' */[0-9]*/; } |
  awk -F / -v listed="$2" 'NF == 1 { named[$1]; next } ($2 in named) == listed' |
  while read -r folder; do
    file=$folder/run.json
    [ -f "$file" ] || file=$folder/.riseml/created.json
    [ ! -f "$file" ] || printf '%s\0' "./$file"
  done | xargs -0 -r awk 1
"""
_READ = """
cd "/output/$1" 2> /dev/null || exit 0
for file in */"$2"/run.json */"$2"/.riseml/created.json; do
  [ ! -f "$file" ] || { cat "$file"; echo; break; }
done
"""
_END = b"end\n"
_NUMBERS = """
cd "/output/$1" 2> /dev/null || exit 0
for folder in */[0-9]*/; do echo "$folder"; done
"""
# A run that the cluster has refused never existed.
_WITHDRAW = 'cd /output; rm -f -- "$1/.riseml/created.json"'
# The folder of an adopted run is a link to another one.
_REMOVE = """
cd /output
folder=$(readlink -f "$1") || folder=
case $folder in /output/*/*/*) rm -rf -- "$folder" ;; esac
rm -rf -- "./$1"
"""


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
    if is_archived(documents) or run.number is None or not run.user:
        return
    if not all(map(_has_end, documents)):
        # Argo has not written its last status yet.
        return
    annotations = _annotations(run)
    if has_more:
        annotations[HAS_MORE] = "true"
    try:
        rewrite(store, run)
        for document in filterfalse(_has_record, documents):
            url_path = path("workflows", namespace, document["metadata"]["name"])
            api.patch(url_path, _archived(document, annotations))
    except RiseMLError:
        return


def _archived(document: Object, annotations: Mapping[str, str]) -> dict[str, Any]:
    """Return the patch of a Workflow whose run was archived."""
    generation = int(document["metadata"].get("generation", 0))
    if document.get("spec", {}).get("ttlStrategy") != TTL:
        # The patch itself makes another one.
        generation += 1
    return {
        "metadata": {"annotations": {**annotations, GENERATION: str(generation)}},
        "spec": {"ttlStrategy": TTL},
    }


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
    """Return whether an ended run is in the archive, given its Workflows or their metadata."""
    return all(map(_has_record, documents))


def is_outdated(documents: Sequence[Object]) -> bool:
    """Return whether a run was archived before `argo retry` started it anew."""
    archived = (
        document["metadata"].get("annotations", {}).get(ARCHIVED)
        for document in documents
    )
    return any(archived) and not is_archived(documents)


def _has_end(document: Object) -> bool:
    return bool(document.get("status", {}).get("finishedAt"))


def _has_record(document: Object) -> bool:
    """Return whether the archive has a Workflow as it is now."""
    metadata = document["metadata"]
    annotations = metadata.get("annotations", {})
    if not annotations.get(ARCHIVED):
        return False
    # Earlier versions of RiseML did not record the generation.
    recorded = int(annotations.get(GENERATION, 0))
    return not recorded or int(metadata.get("generation", 0)) <= recorded


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
    """Return a run from the archive, None if it was never submitted or its output is gone.

    A run that had not ended was lost with its Workflow.
    """
    user = run.user or store.namespace.removeprefix("riseml-")
    return next(_records(store, _READ, user, str(run.number)), None)


def runs(
    store: StorePod, user: str, query: Query, *, except_for: Iterable[int] = ()
) -> Iterator[SetStatus]:
    """Yield a user's archived runs that a query selects, but none of these numbers."""
    return filter(query.selects, _selected(store, user, except_for, are_listed=False))


def numbered(store: StorePod, user: str, numbers: Iterable[int]) -> Iterator[SetStatus]:
    """Yield a user's archived runs of these numbers, as far as the archive has them."""
    return _selected(store, user, numbers, are_listed=True)


def revisions(store: StorePod, user: str) -> set[str]:
    """Return the revisions of the code of all archived runs.

    Raises:
        RiseMLError: the archive cannot be read.
    """
    revisions = {""}
    for run in _parsed(store.script(_FIND, user, "0", stdin=[_END])):
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


def withdraw(store: StorePod, folder: str) -> None:
    """Delete the record of a run that could not be submitted, given its folder."""
    # The error of the submission says more than one of the store would.
    with suppress(RiseMLError):
        store.script(_WITHDRAW, folder)


def remove(store: StorePod, run: SetStatus) -> None:
    """Delete all output of a run."""
    if run.user and run.number is not None:
        store.script(_REMOVE, run.folder)


def _selected(
    store: StorePod, user: str, numbers: Iterable[int], *, are_listed: bool
) -> Iterator[SetStatus]:
    lines = [f"{number}\n".encode() for number in numbers]
    stdin = [b"".join(lines) + _END]
    return _records(store, _FIND, user, str(int(are_listed)), stdin=stdin)


def _records(
    store: StorePod,
    script: str,
    *arguments: str,
    stdin: Sequence[bytes] | None = None,
) -> Iterator[SetStatus]:
    try:
        lines = store.script(script, *arguments, stdin=stdin)
    except (CommandError, NotFoundError, NotAllowedError):
        return
    yield from _parsed(lines)


def _parsed(lines: bytes) -> Iterator[SetStatus]:
    for line in lines.splitlines():
        try:
            yield deleted_workflow.as_ended(from_data(json.loads(line)))
        except (ValueError, KeyError, TypeError):
            # One damaged record must not hide the others.
            continue
