"""Trials of a search in rounds, kept in `.riseml/search/trials.jsonl` of the run's output folder.

    {"number": 5, "parameters": {"lr": "0.01"}, "state": "COMPLETE", "value": 0.93, "space": {"lr": {…}}}

One line for each trial. It is written when the trial is suggested, and again when its
experiment has ended.
"""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from riseml.distributions import Distribution, space_from_data, space_to_data

FILE = ".riseml/search/trials.jsonl"
"""The file, in the output folder of a run."""

ASKED, COMPLETE, FAIL = "ASKED", "COMPLETE", "FAIL"

Space = Mapping[str, Distribution]
"""The distribution of each parameter."""


@dataclass(frozen=True)
class Trial:
    """One experiment of a search.

    `parameters` are the texts that its jobs get, `space` is where they come from. `value` is
    that of the metric, None unless the state is COMPLETE.
    """

    number: int
    parameters: Mapping[str, str]
    space: Space
    state: str = ASKED
    value: float | None = None

    def to_line(self) -> str:
        """Return the line of the file."""
        space = space_to_data(self.space)
        return json.dumps({**vars(self), "space": space})

    @classmethod
    def from_line(cls, line: str) -> "Trial":
        """Return the trial that `to_line` wrote.

        Raises:
            KeyError, TypeError, ValueError: the line is damaged.
        """
        data = json.loads(line)
        data["space"] = space_from_data(data["space"])
        return cls(**data)


@dataclass(frozen=True)
class Request:
    """What a strategy is asked for: `count` assignments, given all earlier trials.

    `trials` have ended, and are sorted by number. `seed` differs from round to round, and
    is the same when the same round is asked again. `mode` is "min" or "max". `settings` are
    the options of the strategy.
    """

    space: Space
    trials: Sequence[Trial]
    count: int
    seed: int
    mode: str
    settings: Mapping[str, Any] = field(default_factory=dict)


def read(folder: Path) -> dict[int, Trial]:
    """Return the trials of a run by number, none if there is no file yet.

    Raises:
        KeyError, TypeError, ValueError: the file is damaged.
    """
    path = folder / FILE
    if not path.exists():
        return {}
    lines = path.read_text("utf-8").splitlines()
    trials = map(Trial.from_line, lines)
    return {trial.number: trial for trial in trials}


def write(folder: Path, trials: Iterable[Trial]) -> None:
    """Replace the file by one with these trials; readers see either file completely."""
    path = folder / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [f"{trial.to_line()}\n" for trial in trials]
    temporary = path.with_name(f"{path.name}.part")
    with temporary.open("w", encoding="utf-8") as file:
        file.writelines(lines)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
