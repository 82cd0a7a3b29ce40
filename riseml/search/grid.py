"""Grid search: every combination of the parameters' values.

    lr: [0.1, 0.2], epochs: [3, 5]    ──▶    lr 0.1 epochs 3, lr 0.1 epochs 5, lr 0.2 epochs 3, lr 0.2 epochs 5

Names keep their order in the file, and the last one varies fastest. Values are texts, as the user wrote them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

from riseml.schema.fields import Record


@dataclass(frozen=True)
class Options:
    """Options of grid search; there are none."""


SECTION = Record(Options, {})


def size(parameters: Mapping[str, Sequence[str]], _options: Options) -> int:
    """Return the number of combinations."""
    # Making the combinations to count them could take all memory.
    return prod(map(len, parameters.values()))


def trials(
    parameters: Mapping[str, Sequence[str]], _options: Options
) -> list[dict[str, str]]:
    """Return all combinations, each as name → value."""
    combinations = product(*parameters.values())
    return [dict(zip(parameters, values, strict=True)) for values in combinations]
