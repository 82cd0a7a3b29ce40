"""Grid search: every combination of the parameters' values.

    lr: [0.1, 0.2], epochs: [3, 5]    ──▶    lr 0.1 epochs 3, lr 0.1 epochs 5, lr 0.2 epochs 3, lr 0.2 epochs 5

Names keep their order in the file, and the last one varies fastest. Values are texts, as the user wrote them.
"""

from itertools import product
from math import prod

from riseml.dataclass import dataclass
from riseml.distributions import Parameters, samples
from riseml.schema.fields import Record


@dataclass(frozen=True)
class Options:
    """Options of grid search; there are none."""


SECTION = Record(Options, {})


def size(parameters: Parameters, _options: Options) -> int:
    """Return the number of combinations."""
    # Making the combinations to count them could take all memory.
    return prod(map(len, map(samples, parameters.values())))


def trials(parameters: Parameters, _options: Options) -> list[dict[str, str]]:
    """Return all combinations, each as name → value."""
    # A grid has no distributions, so these are all values.
    combinations = product(*map(samples, parameters.values()))
    return [dict(zip(parameters, values, strict=True)) for values in combinations]
