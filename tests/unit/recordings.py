"""Recordings of compiled documents on a real Argo, which `tests/cluster/record.py` writes."""

import json
from pathlib import Path
from typing import Any

from riseml import status

FOLDER = Path(__file__).parent.parent / "fixtures" / "argo"
NAMES = sorted(path.stem for path in FOLDER.glob("*.json"))


def load(name: str) -> dict[str, Any]:
    """Return a recording."""
    recording: dict[str, Any] = json.loads(
        (FOLDER / f"{name}.json").read_text(encoding="utf-8")
    )
    return recording


def document(name: str) -> dict[str, Any]:
    """Return the Workflow as it was at the end."""
    final: dict[str, Any] = load(name)["document"]
    return final


def moments(name: str) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Return the noted moments and the end.

    Each has a name, the Workflow at that time, and what `status.read` must return.
    """
    recording = load(name)
    final = recording["document"]
    noted = []
    for note in recording["notes"]:
        spec = {**final["spec"], "shutdown": note["shutdown"]}
        then = {
            **final,
            "metadata": note["metadata"],
            "status": note["status"],
            "spec": spec,
        }
        noted.append((note["moment"], then, note["expect"]))
    return [*noted, ("end", final, recording["expect"])]


def told(document: Any) -> dict[str, Any]:
    """Return what `status.read` says, in the words of the recordings."""
    run = status.read(document)
    jobs = [f"{job.type} {_line(job)}" for job in run.jobs]
    first = run.experiments[0].jobs
    return {
        "state": run.state.value,
        "experiments": [_line(experiment) for experiment in run.experiments],
        "jobs": jobs,
        **({"members": [_line(job) for job in first]} if len(first) > 1 else {}),
    }


def _line(status_: status.ExperimentStatus | status.JobStatus) -> str:
    # A peer ends by itself or because its pod is deleted, whichever is faster.
    code = (
        ""
        if status_.exit_code is None or status_.reason == "PEER"
        else str(status_.exit_code)
    )
    guilty = (getattr(status_, "guilty", None) or "").removeprefix(f"{status_.id}.")
    if guilty.startswith(status_.id.partition(".")[0]):
        guilty = guilty.rpartition(".")[2]  # a job of the run itself
    return " ".join(filter(None, (status_.state.value, status_.reason, code, guilty)))
