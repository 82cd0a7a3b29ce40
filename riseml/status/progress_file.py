"""File of progress that jobs report into: one line `<done>/<total> <attempt>`.

The engines read it, from a folder or through the store. Argo itself learns of progress
only once a minute.
"""

import re
from datetime import UTC, datetime

from riseml.dataclass import dataclass, replace
from riseml.status.values import ExperimentStatus

_LINE = re.compile(r"(\d{1,18})/(\d{1,18}) (\d{1,9})\n")


@dataclass(frozen=True)
class Progress:
    """What a file reports, None without a complete line; `attempt` counts from 0."""

    progress: tuple[int, int] | None = None
    attempt: int = 0
    reported: datetime | None = None

    def add_to(self, experiment: ExperimentStatus) -> ExperimentStatus:
        """Return an experiment with this, unless it is about another attempt."""
        if self.progress is None or self.attempt != experiment.attempt:
            return experiment
        return replace(experiment, progress=self.progress, progressed=self.reported)


def read(text: str, modified: float) -> Progress:
    """Return what a file reports that was last written at `modified`, in seconds since 1970."""
    match = _LINE.fullmatch(text)
    # A job may be writing the line.
    if match is None:
        return Progress()
    done, total, attempt = map(int, match.groups())
    reported = datetime.fromtimestamp(modified, UTC)
    return Progress((min(done, total), max(total, 1)), attempt, reported)
