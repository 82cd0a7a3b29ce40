"""Metrics of a local run, read from the logs and files in its output folder.

How far everything has been read is kept beside the outputs, in `.riseml/metrics.json`.
Several commands may write that file at once: each writes a complete one.
"""

from contextlib import suppress
from operator import attrgetter
from pathlib import Path

from riseml.metrics import cache, folder_files
from riseml.metrics.experiment import CACHE, Reading, identity
from riseml.metrics.files import File, of_last_attempt
from riseml.status import ExperimentStatus, SetStatus
from riseml.status.measured import Measured, with_measured

_SET_CACHE = ".riseml/set-metrics.json"


def measured(run: SetStatus, folder: Path) -> SetStatus:
    """Return a run with the metrics of its experiments; `folder` has its outputs.

    One file has those of a set that has ended, since a thousand files take long to read.
    """
    if not (run.is_set and run.state.is_terminal):
        return with_measured(run, _measure_all(run, folder))
    # A set that is continued ends again, at another time.
    ends = filter(None, map(attrgetter("finished"), run.experiments))
    identities = {
        "metrics": identity(run.metrics),
        "ended": str(max(ends, default="")),
        "count": len(run.experiments),
    }
    file = folder / _SET_CACHE
    cached = cache.load(file)
    by_id = cached.pop("experiments", {})
    if cached != identities:
        by_id = _measure_all(run, folder)
        with suppress(OSError):
            file.parent.mkdir(exist_ok=True)
            cache.save(file, {**identities, "experiments": by_id})
    return with_measured(run, by_id)


def _measure_all(run: SetStatus, folder: Path) -> dict[str, Measured]:
    by_id = {}
    for experiment in run.experiments:
        if experiment.started is not None:
            # A single experiment has no number.
            output = folder / experiment.folder
            by_id[experiment.id] = measure(run, experiment, output)
    return by_id


def measure(run: SetStatus, experiment: ExperimentStatus, output: Path) -> Measured:
    """Return the metrics of an experiment of a run; `output` is its own folder."""
    cache_file = output / CACHE
    has_ended = experiment.state.is_terminal
    cached = cache.load(cache_file)
    # A Workflow that repeats an experiment adds attempts. How many there are, only the
    # complete status says.
    described = (cached.get("metrics"), cached.get("shard", 1))
    is_current = described == (identity(run.metrics), experiment.shard)
    if has_ended and is_current and cached.get("is_complete"):
        values: Measured = cached.get("measured", {})
        return values
    attempt, files = of_last_attempt(folder_files.walk(output))
    reading = Reading(run.metrics, attempt)
    # A damaged cache is of no use, and a new one replaces it.
    with suppress(AttributeError, KeyError, TypeError, ValueError):
        reading.restore(cached)

    def read(file: File, start: int, size: int) -> bytes:
        return folder_files.read(output / file.path, start, size)

    has_changed = reading.advance(files, read, is_end=has_ended)
    result = reading.measured()
    if has_changed:
        data = {
            **reading.to_data(),
            "shard": experiment.shard,
            "is_complete": has_ended,
            "measured": result,
        }
        cache.save(cache_file, data)
    return result
