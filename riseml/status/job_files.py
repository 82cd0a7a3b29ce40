"""Files that say something about running jobs: that they are held, or do not use their GPUs.

.riseml/held.<job>, .riseml/idle.<job>.<attempt>, .riseml/pod.<job>.<attempt> ──▶ ExperimentStatus
"""

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from riseml.status import held, idleness, pod_marks
from riseml.status.values import ExperimentStatus

Value = TypeVar("Value")


def prefixes(experiments: Iterable[ExperimentStatus]) -> list[str]:
    """Return how the names of the files begin that may exist for some experiments."""
    has_holds = has_marks = False
    for experiment in experiments:
        has_holds = has_holds or held.may_be_held(experiment)
        has_marks = has_marks or idleness.may_be_idle(experiment)
    names = []
    if has_holds:
        names.append(held.PREFIX)
    if has_marks:
        names.append(idleness.PREFIX)
    return names


def add_to(experiment: ExperimentStatus, texts: Mapping[str, str]) -> ExperimentStatus:
    """Return an experiment with what its files say; `texts` has these by their names."""
    # A job that is held is not called idle as well.
    with_holds = held.with_holds(experiment, _values(texts, held.PREFIX, held.read))
    seconds = _values(texts, idleness.PREFIX, idleness.read)
    marks = _values(texts, pod_marks.PREFIX, pod_marks.read)
    return pod_marks.with_marks(idleness.with_marks(with_holds, seconds), marks)


def _values(
    texts: Mapping[str, str], prefix: str, read: Callable[[str], Value | None]
) -> dict[str, Value]:
    """Return what complete files of one kind say, by their names without the prefix."""
    values = {}
    for name, text in texts.items():
        if name.startswith(prefix):
            value = read(text)
            if value is not None:
                values[name.removeprefix(prefix)] = value
    return values
