"""Marks of the runs of a home: kept in a table of their own, since they change after the end of a run."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from riseml import marks
from riseml.dataclass import replace
from riseml.engines.local import archive_text
from riseml.engines.local.queries import Queries
from riseml.status import SetStatus

_EXISTS = "SELECT 1 FROM sqlite_master WHERE name = 'marks'"
_SELECT = "SELECT run, data FROM marks WHERE ? IS NULL OR run = ?"


def added(
    store: Queries, runs: Iterable[SetStatus], number: int | None = None
) -> list[SetStatus]:
    """Return runs with their marks; `number` says that there is only that one."""
    # A home that an earlier version made has no marks before a controller writes to it.
    rows = store.rows(_SELECT, number, number) if store.rows(_EXISTS) else []
    by_number = {row["run"]: row["data"] for row in rows}
    marked = []
    for run in runs:
        text = by_number.get(run.number)
        data = store.decode(run.number or 0, text, "its marks") if text else None
        # Few runs have marks, and a copy of each takes a quarter of the time of a list.
        marked.append(replace(run, marks=marks.from_data(data)) if data else run)
    return marked


def write_to_archive(archive: Path, data: Mapping[str, Any]) -> None:
    """Replace the marks in the run.json of an ended run.

    Raises:
        OSError, ValueError: it does not exist, or cannot be read or written.
    """
    record = json.loads(archive.read_bytes())
    record["marks"] = dict(data)
    temporary = archive.with_name(f"{archive.name}.part")
    experiments = map(json.dumps, record.get("experiments", ()))
    with temporary.open("w", encoding="utf-8") as file:
        file.writelines(archive_text.parts(record, experiments))
    temporary.replace(archive)
