"""Hyperband: ASHA in several brackets, each of which compares its experiments for the first time at another step.

    max_resource 81    ──▶    bracket 0: rungs 3, 9, 27    bracket 1: 9, 27    bracket 2: 27    bracket 3: none

Early values of some configurations mislead. So most experiments are in bracket 0, and a few
run longer before they are compared, or to their end. Trial and bracket depend only on the
seed and the number of trials.
"""

from collections.abc import Iterator

from riseml.dataclass import replace
from riseml.distributions import Parameters
from riseml.plan import EarlyStop
from riseml.search import Fault, asha

DRAWS = asha.DRAWS
MEASURES = asha.MEASURES
SECTION = asha.SECTION
Options = asha.Options


def size(parameters: Parameters, options: Options) -> int:
    """Return the number of trials."""
    return asha.size(parameters, options)


def faults(parameters: Parameters, options: Options) -> Iterator[Fault]:
    """Yield what is wrong with the options."""
    return asha.faults(parameters, options)


def trials(parameters: Parameters, options: Options) -> list[dict[str, str]]:
    """Return the trials, those of all brackets together."""
    return asha.trials(parameters, options)


def early_stop(options: Options) -> EarlyStop:
    """Return the rule by which experiments stop."""
    return replace(asha.early_stop(options), brackets=len(options.rungs) + 1)


def brackets(count: int, options: Options) -> list[int]:
    """Return the bracket of each of `count` trials, in the shares that Hyperband gives them."""
    shares = _shares(options)
    total = sum(shares)
    sizes = [0] * len(shares)
    chosen = []
    for position in range(1, count + 1):
        # The bracket that lacks the most; of equal ones the first.
        lacks = [
            share * position / total - size
            for share, size in zip(shares, sizes, strict=True)
        ]
        bracket = lacks.index(max(lacks))
        sizes[bracket] += 1
        chosen.append(bracket)
    return chosen


def _shares(options: Options) -> list[int]:
    """Return how many experiments each bracket has in one round of Hyperband."""
    most = len(options.rungs)
    shares = []
    for halvings in range(most, -1, -1):
        rounded_up = -(-(most + 1) * options.reduction**halvings // (halvings + 1))
        shares.append(rounded_up)
    return shares
