"""What is kept of a run when its Workflow is gone: `run.json` beside its record in the output volume.

Nobody runs on the cluster for that: whoever first reads a run that has ended writes it, and only then lets the Workflow
go after some days (`ttlStrategy`). So a run that nobody has looked at is never lost.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from riseml.cluster.api import Api, Object, path
from riseml.cluster.pod_exec import CommandError
from riseml.cluster.store import StorePod
from riseml.engines import Query
from riseml.engines.argo.live_results import run_folder
from riseml.errors import NotAllowedError, NotFoundError, RiseMLError
from riseml.ids import Id
from riseml.plan import Resources
from riseml.status import ExperimentStatus, JobStatus, SetStatus, State

# Annotation: when run.json was written
ARCHIVED = "riseml.io/archived"
FILE = "run.json"
SCHEMA = 1
_DAY = 86_400
TTL = {"secondsAfterSuccess": 14 * _DAY, "secondsAfterFailure": 30 * _DAY}
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


def keep(
    api: Api,
    namespace: str,
    store: StorePod,
    documents: Sequence[Object],
    whole: SetStatus,
) -> None:
    """Archive an ended run once; where that is not possible now, the next reader does."""
    fresh = [
        each["metadata"]
        for each in documents
        if not each["metadata"].get("annotations", {}).get(ARCHIVED)
    ]
    if not fresh or whole.number is None or not whole.user:
        return
    if not all(each.get("status", {}).get("finishedAt") for each in documents):
        # Argo is still about to write
        return
    text = json.dumps(
        to_data(whole), default=_plain, ensure_ascii=False, separators=(",", ":")
    )
    moment = whole.finished or whole.created
    body: dict[str, Any] = {
        "metadata": {
            "annotations": {ARCHIVED: moment.isoformat() if moment else "yes"}
        },
        "spec": {"ttlStrategy": TTL},
    }
    try:
        store.script(_WRITE, run_folder(whole), stdin=[text.encode()])
        for metadata in fresh:
            api.patch(path("workflows", namespace, metadata["name"]), body)
    except RiseMLError:
        return


def read(store: StorePod, run: Id) -> SetStatus | None:
    """Return a run as its archive has it, None where there is none."""
    user = run.user or store.namespace.removeprefix("riseml-")
    return next(_records(store, _READ, user, str(run.number)), None)


def runs(store: StorePod, user: str, query: Query) -> Iterator[SetStatus]:
    """Yield the runs that the archive has."""
    for run in _records(store, _FIND, user):
        if query.project in (None, run.project):
            yield run


def revisions(store: StorePod, user: str) -> set[str]:
    """Return the revisions of the code of all runs that the archive has.

    Raises:
        RiseMLError: the archive cannot be read.
    """
    return {run.revision for run in _parsed(store.script(_FIND, user))} - {""}


def last_number(store: StorePod, user: str) -> int:
    """Return the greatest number of a run that has left something in the output volume, 0 for none."""
    parts = [
        line.split("/")
        for line in store.script(_NUMBERS, user).decode(errors="replace").splitlines()
    ]
    return max(
        (int(part[1]) for part in parts if len(part) == 3 and part[1].isdecimal()),  # noqa: PLR2004
        default=0,
    )


def remove(store: StorePod, whole: SetStatus) -> None:
    """Delete everything that a run has left in the output volume."""
    if whole.user and whole.number is not None:
        store.script(_REMOVE, run_folder(whole))


def _records(store: StorePod, script: str, *arguments: str) -> Iterator[SetStatus]:
    try:
        told = store.script(script, *arguments)
    except (CommandError, NotFoundError, NotAllowedError):
        return
    yield from _parsed(told)


def _parsed(told: bytes) -> Iterator[SetStatus]:
    for line in told.splitlines():
        try:
            yield from_data(json.loads(line))
        except (ValueError, KeyError, TypeError):
            continue


def to_data(whole: SetStatus) -> dict[str, Any]:
    """Return a run as data that `from_data` reads."""
    return {"schema": SCHEMA, **asdict(whole)}


def from_data(data: Mapping[str, Any]) -> SetStatus:
    """Return the run that data describes; what this version does not know is left out."""
    told = _timed(
        {name: data[name] for name in SetStatus.__dataclass_fields__ if name in data}
    )
    told["counts"] = {State(name): count for name, count in data["counts"].items()}
    told["experiments"] = tuple(map(_experiment, data["experiments"]))
    told["jobs"] = tuple(map(_job, data["jobs"]))
    told["run"], told["install"] = tuple(data["run"]), tuple(data["install"])
    return SetStatus(**told)


def _experiment(data: Mapping[str, Any]) -> ExperimentStatus:
    told = _timed(
        {
            name: data[name]
            for name in ExperimentStatus.__dataclass_fields__
            if name in data
        }
    )
    told["progress"] = tuple(data["progress"]) if data.get("progress") else None
    told["jobs"] = tuple(map(_job, data["jobs"]))
    return ExperimentStatus(**told)


def _job(data: Mapping[str, Any]) -> JobStatus:
    told = _timed(
        {name: data[name] for name in JobStatus.__dataclass_fields__ if name in data}
    )
    if asked := data.get("resources"):
        from decimal import Decimal  # noqa: PLC0415

        told["resources"] = Resources(
            Decimal(asked["cpus"]), int(asked["mem"]), int(asked["gpus"])
        )
    return JobStatus(**told)


def _timed(told: dict[str, Any]) -> dict[str, Any]:
    for name in ("created", "started", "finished"):
        told[name] = datetime.fromisoformat(told[name]) if told.get(name) else None
    told["state"] = State(told["state"])
    return told


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
