"""ASHA, asynchronous successive halving: all trials start, and only the best of each rung continue.

    max_resource 81    ──▶    rungs at the steps 3, 9 and 27
    at each rung       ──▶    of the experiments that have reached it, the best third continues

The experiments decide themselves, over files that they share (templates/rungs.py). So what runs
depends on timing, and only the assignments depend on the seed alone. The trials are drawn at
random; without `trials`, they are all combinations of the values.
"""

from collections.abc import Iterator

from riseml.dataclass import dataclass
from riseml.distributions import Distribution, Parameters
from riseml.plan import EarlyStop
from riseml.schema.fields import Integer, Record
from riseml.search import SEED, Fault, grid, random

DRAWS = True
MEASURES = True
# A first rung at 1 finds the best less often than it saves.
_FIRST_SHARE = 27


@dataclass(frozen=True)
class Options:
    """Options of a search that stops experiments early; resources are steps, for example epochs."""

    max_resource: int
    min_resource: int | None = None
    reduction: int = 3
    trials: int | None = None
    seed: int | None = None

    @property
    def rungs(self) -> tuple[int, ...]:
        """The steps at which experiments are compared."""
        rung = self.min_resource or max(1, self.max_resource // _FIRST_SHARE)
        rungs = []
        while rung < self.max_resource:
            rungs.append(rung)
            rung *= self.reduction
        return tuple(rungs)


SECTION = Record(
    Options,
    {
        "max_resource": Integer(2).says(
            "The step, such as the epoch, at which an experiment is complete.",
            example=81,
        ),
        "min_resource": Integer(1).says(
            "The step of the first comparison.",
            otherwise="it is a 27th of max_resource, at least 1",
            example=3,
        ),
        "reduction": Integer(2).says(
            "Of so many experiments, one continues at each comparison.",
            default=3,
            example=4,
        ),
        "trials": Integer(1).says(
            "Number of experiments, drawn at random.",
            otherwise="all combinations are run; with a distribution it is required",
            example=64,
        ),
        "seed": SEED,
    },
    required={"max_resource": "Write for example max_resource: 81."},
)


def size(parameters: Parameters, options: Options) -> int:
    """Return the number of trials."""
    if options.trials is not None or _distributed(parameters):
        return options.trials or 1
    return grid.size(parameters, grid.Options())


def faults(parameters: Parameters, options: Options) -> Iterator[Fault]:
    """Yield what is wrong with the first rung, or with the number of trials."""
    if not options.rungs:
        yield Fault(
            "search.min_resource",
            f"min_resource is not less than max_resource, {options.max_resource}",
            "The first comparison has to come before the end.",
        )
    if options.trials is not None:
        yield from random.faults(parameters, random.Options(options.trials))
    elif name := _distributed(parameters):
        yield Fault(
            "search",
            f"'trials' is missing, and '{name}' has a distribution",
            "Write for example trials: 64.",
        )


def trials(parameters: Parameters, options: Options) -> list[dict[str, str]]:
    """Return the trials of a random search, or of a grid."""
    if options.trials is None:
        return grid.trials(parameters, grid.Options())
    drawn = random.Options(options.trials, options.seed)
    return random.trials(parameters, drawn)


def early_stop(options: Options) -> EarlyStop:
    """Return the rule by which experiments stop."""
    return EarlyStop(options.rungs, options.max_resource, options.reduction)


def _distributed(parameters: Parameters) -> str:
    """Return the name of a parameter with a distribution, empty if all have lists of values."""
    for name, values in parameters.items():
        if isinstance(values, Distribution):
            return name
    return ""
