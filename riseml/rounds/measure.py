"""Result of an experiment that has ended, read from its output folder: the value that `riseml results` shows."""

import math
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from riseml.metric import Metric
from riseml.metrics import folder_files, result_file
from riseml.metrics.experiment import Reading, shown
from riseml.metrics.files import File, of_last_attempt
from riseml.metrics.result_file import Tail

# The run script writes the exit status of each attempt of a job there.
_EXIT = re.compile(r"exit\.(?P<job>.+)\.(?P<attempt>\d+)")
_RESULTS = "results.jsonl"


@dataclass(frozen=True)
class Outcome:
    """The value of the metric, or why there is none."""

    value: float | None
    reason: str = ""


def outcome(
    folder: Path, metrics: Sequence[Metric], name: str, jobs: Collection[str]
) -> Outcome:
    """Return what an experiment achieved by the metric `name`.

    It counts only if all of its jobs have succeeded, in the last attempt.
    """
    if not has_succeeded(folder / ".riseml", jobs):
        return Outcome(None, "failed")
    values = {**_measured(folder, metrics), **_reported(folder / ".riseml")}
    if name not in values:
        return Outcome(None, f"has no {name}")
    number = _number(values[name])
    if number is None:
        return Outcome(None, f"has {name} {values[name]}")
    return Outcome(number)


def has_succeeded(folder: Path, jobs: Collection[str]) -> bool:
    """Return whether all jobs exited with 0 in their last attempt; `folder` has their exit statuses."""
    statuses: dict[str, tuple[int, str]] = {}
    for path in folder.glob("exit.*"):
        match = _EXIT.fullmatch(path.name)
        if match:
            attempt = int(match["attempt"]), path.read_text("utf-8").strip()
            statuses[match["job"]] = max(statuses.get(match["job"], attempt), attempt)
    last = max((attempt for attempt, _ in statuses.values()), default=0)
    return all(statuses.get(job) == (last, "0") for job in jobs)


def _measured(folder: Path, metrics: Sequence[Metric]) -> dict[str, object]:
    attempt, files = of_last_attempt(folder_files.walk(folder))
    reading = Reading(metrics, attempt)

    def read(file: File, start: int, size: int) -> bytes:
        return folder_files.read(folder / file.path, start, size)

    reading.advance(files, read, is_end=True)
    return {name: shown(values) for name, values in reading.measured().items()}


def _reported(folder: Path) -> dict[str, object]:
    try:
        data = (folder / _RESULTS).read_bytes()
    except OSError:
        # The jobs reported nothing.
        return {}
    reported = result_file.read(Tail(data), has_ended=True)
    return dict(reported.result or {})


def _number(value: object) -> float | None:
    try:
        # Programs may report success as true or false, which count as 1 and 0.
        number = float(value)  # type: ignore[arg-type] # anything else is refused here
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
