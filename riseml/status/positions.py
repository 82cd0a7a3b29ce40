"""Positions of nodes: which experiment a node belongs to, read from the node's name.

w.set.experiment(4:lr:0.1,riseml-sub:5).train    ──▶  position 4
w.set.round-3(1:lr:0.1,riseml-sub:8).train       ──▶  position 5 of a search with rounds of 2
"""

import re
from collections.abc import Mapping
from typing import Any

from riseml import labels
from riseml.dataclass import dataclass
from riseml.rounds.numbers import rounds_before
from riseml.status import document as doc

_ROUND = re.compile(r"round-(\d+)\((\d+):")


@dataclass(frozen=True)
class Positions:
    """Reader of the names of a run's nodes.

    `marker` precedes an experiment's position. With a `batch`, that is the size of a round,
    and only the round and the position in it stand there; `offset` rounds precede the first.
    """

    marker: str
    batch: int = 0
    offset: int = 0

    def of(self, name: str) -> int | None:
        """Return the position of an experiment, from 0; None for a node of the run itself."""
        # The values of parameters in a name may contain anything, but they come later.
        _, marker, suffix = name.partition(self.marker)
        if not self.batch:
            return doc.integer(suffix[: suffix.find(":")]) if marker else None
        match = _ROUND.match(suffix)
        if match is None:
            return None
        round_ = int(match[1]) - 1 - self.offset
        return round_ * self.batch + int(match[2])


@dataclass(frozen=True)
class Rounds:
    """Rounds of a search: the numbers of its experiments, and how many belong to a round."""

    batch: int
    first: int
    last: int

    def items(self) -> list[dict[str, str]]:
        """Return what is known of the experiments before their parameters are chosen."""
        subs = range(self.first, self.last + 1)
        return [{labels.SUB_PARAMETER: str(sub)} for sub in subs]

    def round_of(self, position: int) -> int:
        """Return the round of the experiment at a position; rounds count from 1."""
        return self.offset + position // self.batch + 1

    @property
    def offset(self) -> int:
        """The number of rounds in earlier Workflows of the run."""
        return rounds_before(self.first, self.batch)


def rounds_of(annotations: Mapping[str, Any]) -> Rounds | None:
    """Return the rounds of a run, None if all parameters were known at its start."""
    search = doc.mapping(doc.json_value(annotations.get(labels.SEARCH)))
    numbers = [doc.integer(search.get(name)) for name in ("batch", "first", "last")]
    present = list(filter(None, numbers))
    return Rounds(*present) if len(present) == len(numbers) else None
