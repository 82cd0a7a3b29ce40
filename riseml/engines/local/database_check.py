"""Examination of a home's database: the file, its tables, its records, and what it does not list."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from riseml.dataclass import dataclass
from riseml.engines.local import outputs, rebuild
from riseml.engines.local.interpreter.node import Node
from riseml.engines.local.replacement import faults_of_file
from riseml.engines.local.store import Store
from riseml.errors import DamagedDatabaseError, HomeError
from riseml.status import State
from riseml.status.data import from_data

_FAULTS_OF_RECORDS = (
    HomeError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    OverflowError,
)


@dataclass(frozen=True)
class Examination:
    """What is wrong with a database.

    `fault` concerns the whole file, and is empty if it can be used. `records` are the
    faults of records by the number of their run. `unlisted` are output folders of runs
    that the database does not list.
    """

    fault: str = ""
    records: dict[int, str] | None = None
    unlisted: tuple[Path, ...] = ()
    runs: int = 0

    @property
    def is_sound(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.fault or self.records or self.unlisted)


def examine(home: Path) -> Examination:
    """Examine the database of a home.

    Raises:
        HomeError: it cannot be examined, and a repair would not help: another version of
            riseml made it, or the user may not read it.
    """
    try:
        store = Store(home)
        if not store.exists:
            return Examination(outputs.describe_loss(home))
        faults = faults_of_file(store)
        if faults:
            text = "; ".join(" ".join(fault.split()) for fault in faults)
            return Examination(f"the database {store.path} is damaged: {text}")
        records = dict(_damaged_records(store))
        listed = store.numbers()
    except DamagedDatabaseError as error:
        return Examination(str(error))
    unlisted = tuple(rebuild.unlisted(home, listed))
    return Examination("", records, unlisted, len(listed))


def _damaged_records(store: Store) -> Iterator[tuple[int, str]]:
    """Yield the numbers of runs whose record cannot be read, with the reason."""
    rows = store.rows("SELECT number FROM runs WHERE NOT json_valid(document)")
    damaged_documents = [row["number"] for row in rows]
    for row in store.runs(ended=True):
        number = row["number"]
        if number in damaged_documents:
            yield number, str(store.damaged(number, "the document"))
            continue
        try:
            _check_record(store, row)
            for key in store.shards(number):
                _check_workflow(store, key)
        except _FAULTS_OF_RECORDS as error:
            text = str(error)
            if not isinstance(error, HomeError):
                text = str(store.damaged(number, f"{error!r:.200}"))
            yield number, text


def _check_record(store: Store, row: Any) -> None:
    number = row["number"]
    State(row["state"])
    for value in json.loads(row["counts"]).values():
        int(value)
    for name in ("created", "started", "finished"):
        float(row[name] or 0)
    store.experiments(number)
    final = _check_workflow(store, number)
    if final is None:
        return
    for name in ("number", "name", "project", "is_set"):
        if final[name] != row[name]:
            raise ValueError(f"its {name} is recorded in two ways")


def _check_workflow(store: Store, key: int) -> Any:
    """Check the record of one Workflow of a run; return its final status, if it has one."""
    final = store.final_status(key)
    if final is None:
        _check_document(store, key)
    else:
        from_data(final)
    return final


def _check_document(store: Store, number: int) -> None:
    """Check what the status of a run without a final one is computed from."""
    row = store.run(number)
    # The store has just listed this number.
    assert row is not None  # noqa: S101
    metadata = store.decode(number, row["document"], "the document")["metadata"]
    str(metadata["uid"])
    for node in store.nodes(number):
        Node.from_row(node)
