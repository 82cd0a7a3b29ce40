"""List of runs, rebuilt from output folders: each ended run has left its run.json there.

    output/<user>/<project>/<number>/run.json ──▶ one row of `runs`, rows of `experiments`

What only the database had is lost: the Workflows, and how far unfinished runs had come.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from riseml import labels, marks
from riseml.dataclass import dataclass, field, replace
from riseml.engines.local import outputs
from riseml.engines.local.serialize import experiment_to_json
from riseml.engines.local.store import Store
from riseml.errors import RiseMLError
from riseml.plan import NO_MARKS
from riseml.status import SetStatus, State
from riseml.status.data import encode, from_data, to_data

LOST = "its record was lost with the database"
"""Message of a run of which only the output is left."""


@dataclass
class Restored:
    """Numbers of the runs that are listed again, and why others are not, or not in full.

    Those in `continued` have not ended.
    """

    continued: list[int] = field(default_factory=list)
    complete: list[int] = field(default_factory=list)
    incomplete: dict[int, str] = field(default_factory=dict)
    left_out: dict[Path, str] = field(default_factory=dict)


def restore(store: Store, home: Path) -> Restored:
    """List all runs that have an output folder and are not listed; in one transaction.

    Later runs get higher numbers.

    Raises:
        HomeError: the database cannot be written; nothing is changed.
    """
    restored = Restored()
    with store.transaction():
        listed = store.numbers()
        for folder in unlisted(home, listed):
            number = int(folder.name)
            if number in listed:
                restored.left_out[folder] = f"another run has the number {number}"
                continue
            listed.add(number)
            _restore(store, folder, restored)
        store.set_number(max({store.last_number(), *listed}))
    return restored


def unlisted(home: Path, listed: Iterable[int]) -> list[Path]:
    """Return the output folders of runs that are not listed, in the order of numbers."""
    numbers = set(listed)
    folders = [
        folder for folder in outputs.folders(home) if int(folder.name) not in numbers
    ]
    return sorted(folders, key=lambda folder: (int(folder.name), folder))


def read(folder: Path) -> SetStatus:
    """Return how the run of an output folder ended, from its run.json.

    Raises:
        RiseMLError: there is none, or it does not say that.
    """
    file = folder / outputs.ARCHIVE
    if not file.is_file():
        # To open a pipe would block.
        raise RiseMLError(f"it has no {outputs.ARCHIVE}, so it had not ended")
    try:
        run = from_data(json.loads(file.read_bytes()))
    except OSError as error:
        raise RiseMLError(f"{file} cannot be read: {error.strerror}") from error
    except (
        ValueError,
        TypeError,
        LookupError,
        AttributeError,
        RecursionError,
    ) as error:
        raise RiseMLError(f"{file} is damaged: {error!r:.200}") from error
    if not _has_valid_types(run):
        raise RiseMLError(f"{file} is damaged: a value has another type")
    if not run.state.is_terminal:
        raise RiseMLError(f"{file} says that it had not ended")
    return run


def _has_valid_types(run: SetStatus) -> bool:
    """Return whether the values that lists of runs show are what they should be."""
    texts = (run.name, run.revision, run.reason, run.message)
    numbers = (run.concurrency or 0, *run.counts.values())
    return (
        isinstance(run.is_set, bool)
        and all(isinstance(text, str) for text in texts)
        and all(isinstance(number, int) for number in numbers)
    )


def _restore(store: Store, folder: Path, restored: Restored) -> None:
    number = int(folder.name)
    try:
        run = read(folder)
    except RiseMLError as error:
        run = _without_record(folder)
        restored.incomplete[number] = str(error)
    else:
        restored.complete.append(number)
    # The folder may have been moved, and its path is what finds it.
    project, user = folder.parent, folder.parents[1]
    run = replace(
        run, id=str(number), number=number, user=user.name, project=project.name
    )
    if store.named(run.name):
        run = replace(run, name=f"{run.name}.{number}")
    add(store, run)


def _without_record(folder: Path) -> SetStatus:
    """Return what the output folder of a run shows of it."""
    modified = datetime.fromtimestamp(folder.stat().st_mtime, UTC)
    parts = [path.name for path in folder.iterdir() if path.is_dir()]
    return SetStatus(
        id=folder.name,
        name=f"{folder.parent.name}-{folder.name}",
        is_set=any(map(outputs.is_number, parts)),
        state=State.FAILED,
        created=modified,
        finished=modified,
        message=LOST,
    )


def add(store: Store, run: SetStatus) -> None:
    """Insert an ended run into the database; inside a transaction."""
    # `restore` has set it.
    assert run.number is not None  # noqa: S101
    store.add_run(
        number=run.number,
        name=run.name,
        user=run.user,
        project=run.project,
        is_set=int(run.is_set),
        concurrency=run.concurrency or 0,
        state=run.state,
        counts=json.dumps(run.counts),
        created=_seconds(run.created) or 0.0,
        started=_seconds(run.started),
        finished=_seconds(run.finished),
        ended=1,
        status=json.dumps(to_data(run), default=encode),
        document=json.dumps({"metadata": _metadata(run)}),
        environment="{}",
    )
    store.put_experiments(run.number, _experiments(run))
    if run.marks != NO_MARKS:
        store.put_marks(run.number, marks.to_data(run.marks))


def _experiments(run: SetStatus) -> Iterator[tuple[int, str]]:
    for position, experiment in enumerate(run.experiments, start=1):
        yield position, experiment_to_json(experiment)


def _metadata(run: SetStatus) -> Mapping[str, Any]:
    """Return what is left of the metadata of a run's Workflow."""
    annotations = {}
    if run.revision:
        annotations[labels.REVISION] = run.revision
    if run.metrics:
        annotations[labels.METRICS] = json.dumps(list(map(vars, run.metrics)))
    tags = {labels.USER: run.user, labels.PROJECT: run.project}
    return {
        "name": run.name,
        "labels": {**tags, labels.NUMBER: str(run.number)},
        "annotations": annotations,
    }


def _seconds(time: datetime | None) -> float | None:
    return None if time is None else time.timestamp()
