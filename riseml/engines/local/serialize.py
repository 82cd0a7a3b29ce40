"""How values of a run are written in the database, and read back."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from riseml.status import ExperimentStatus, State

# Bytes of a result
_LONGEST = 4096


def moment(seconds: float) -> str:
    """Write a time as Argo does, with microseconds."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def to_json(experiment: ExperimentStatus) -> str:
    """Write an experiment, without its jobs, as the database keeps it."""
    data = {
        name: value
        for name, value in vars(experiment).items()
        if value not in (None, "", ()) and name != "jobs"
    }
    return json.dumps(data, default=plain)


def from_data(data: Mapping[str, Any]) -> ExperimentStatus:
    """Read what `to_json` wrote."""
    times = {
        name: datetime.fromisoformat(data[name])
        for name in ("created", "started", "finished")
        if name in data
    }
    progress = {"progress": tuple(data["progress"])} if "progress" in data else {}
    return ExperimentStatus(
        **{**data, **times, **progress, "state": State(data["state"])}
    )


def reported(folder: Path) -> Mapping[str, Any] | None:
    """Return the last result that a job has reported into its output folder so far."""
    try:
        with (folder / ".riseml" / "results.jsonl").open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - _LONGEST))
            lines = file.read().splitlines()
        value = json.loads(lines[-1])
    except (OSError, ValueError, IndexError):
        return None
    return value if isinstance(value, dict) else {"result": value}


def plain(value: object) -> str:
    """Write what JSON has no form for."""
    return value.isoformat() if isinstance(value, datetime) else str(value)
