"""From a document to values: the way through."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from riseml.status.values import ExperimentStatus, SetStatus

Node = Mapping[str, Any]


@dataclass(frozen=True)
class Outline:
    """What all cells of one document share: ids, parameters, planned jobs, kills, the build."""

    id: str


def outline(document: Mapping[str, Any], own: Iterable[Node] | None = None) -> Outline:
    """Read what all cells share; `own` are the nodes outside the cells (None: found among `status.nodes`)."""
    raise NotImplementedError


def read_experiment(outline: Outline, position: int, nodes: Iterable[Node]) -> ExperimentStatus:
    """Read the cell at `position` of `withItems` (from 0) given only its nodes (the cell's own and all below it)."""
    raise NotImplementedError


def assemble(outline: Outline, experiments: Iterable[ExperimentStatus]) -> SetStatus:
    """Return the run's status from its experiments'."""
    raise NotImplementedError


def read(document: Mapping[str, Any]) -> SetStatus:
    """Read a whole document; never fails, whatever is missing in it."""
    raise NotImplementedError
