"""What jobs used that have ended, for `riseml status ID`."""

from collections.abc import Sequence

from riseml import phrases
from riseml.cli.table import Column
from riseml.dataclass import field_names
from riseml.status import JobStatus
from riseml.usage import Usage

_TITLES = ("MEAN CPU", "PEAK MEM", "MEAN GPU", "GPU MEM")
_NAMES = ("Mean cpus", "Peak mem", "Mean gpus", "Peak gpu mem")
# On a narrow terminal, these go first.
_DROP = 9


def fields(usage: Usage | None) -> list[tuple[str, str | None]]:
    """Return the name and the text of each value; empty where it is not known."""
    return list(zip(_NAMES, _texts(usage or Usage()), strict=True))


def add_columns(
    columns: list[Column], rows: list[list[str]], usages: Sequence[Usage | None]
) -> None:
    """Add the columns in which some row has a value; there is a usage for each row."""
    used = [_texts(usage or Usage()) for usage in usages]
    for position, title in enumerate(_TITLES):
        texts = [values[position] for values in used]
        if any(texts):
            columns.append(Column(title, 8, drop=_DROP))
            for row, text in zip(rows, texts, strict=True):
                row.append(text)


def of_experiment(jobs: Sequence[JobStatus]) -> Usage:
    """Return the highest value of any job, each from its last attempt."""
    usages = [job.usage for job in jobs if job.usage is not None]
    highest = {}
    for name in field_names(Usage):
        values = [getattr(usage, name) for usage in usages]
        known = [value for value in values if value is not None]
        highest[name] = max(known, default=None)
    return Usage(**highest)


def _texts(usage: Usage) -> list[str]:
    """Return mean cores, peak memory, busy GPUs and memory of these."""
    return [
        _decimal(usage.cpu_mean),
        _memory(usage.mem_peak),
        _decimal(usage.gpu_util_mean),
        _memory(usage.gpu_mem_peak),
    ]


def _decimal(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _memory(value: int | None) -> str:
    return "" if value is None else phrases.memory(value)
