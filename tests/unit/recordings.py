"""What a real Argo made of compiled documents (`tests/cluster/record.py` writes it), as data for tests."""

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
    """Return each noted moment and the end: its name, the Workflow as it was, and what `status.read` must say."""
    recording = load(name)
    final = recording["document"]
    found = []
    for note in recording["notes"]:
        spec = {**final["spec"], "shutdown": note["shutdown"]}
        then = {
            **final,
            "metadata": note["metadata"],
            "status": note["status"],
            "spec": spec,
        }
        found.append((note["moment"], then, note["expect"]))
    return [*found, ("end", final, recording["expect"])]


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


def _line(told: status.ExperimentStatus | status.JobStatus) -> str:
    # How a peer ended is chance: by itself, or because its pod was deleted.
    code = (
        "" if told.exit_code is None or told.reason == "PEER" else str(told.exit_code)
    )
    guilty = (getattr(told, "guilty", None) or "").removeprefix(f"{told.id}.")
    if guilty.startswith(told.id.partition(".")[0]):
        guilty = guilty.rpartition(".")[2]  # a job of the run itself
    return " ".join(filter(None, (told.state.value, told.reason, code, guilty)))
