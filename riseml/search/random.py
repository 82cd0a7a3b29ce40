"""Random search: `trials` assignments, drawn from the distributions and lists of values.

    lr: {loguniform: [1e-4, 0.1]}, opt: [adam, sgd]    ──▶    lr 0.00345678 opt sgd, lr 0.0712345 opt adam, …

Each parameter has a random sequence of its own, which depends on the seed and its name. So
more trials begin with those of fewer trials, and a further parameter does not change the
values of the others. No assignment is made twice.
"""

import random
from collections.abc import Iterator, Sequence

from riseml.dataclass import dataclass
from riseml.distributions import Distribution, Parameters, distribution
from riseml.schema.fields import Integer, Record
from riseml.search import SEED, Fault, too_many_trials

DRAWS = True


@dataclass(frozen=True)
class Options:
    """Options of random search; the planner chooses a seed where there is none."""

    trials: int
    seed: int | None = None


SECTION = Record(
    Options,
    {
        "trials": Integer(1).says("Number of experiments.", example=20),
        "seed": SEED,
    },
    required={"trials": "Write for example trials: 20."},
)


def size(_parameters: Parameters, options: Options) -> int:
    """Return the number of trials."""
    return options.trials


def faults(parameters: Parameters, options: Options) -> Sequence[Fault]:
    """Return a fault if there are fewer assignments than trials."""
    return too_many_trials(parameters, options.trials)


def trials(parameters: Parameters, options: Options) -> list[dict[str, str]]:
    """Return the first assignments of the random sequences."""
    draws = _draws(parameters, options.seed)
    unique: dict[tuple[str, ...], dict[str, str]] = {}
    # Even a narrow distribution has as many values as a set may have experiments.
    while len(unique) < options.trials:
        trial = next(draws)
        unique.setdefault(tuple(trial.values()), trial)
    return list(unique.values())


def _draws(parameters: Parameters, seed: int | None) -> Iterator[dict[str, str]]:
    """Yield assignments without end."""
    sources: dict[str, tuple[Distribution, random.Random]] = {}
    for name, values in parameters.items():
        # Of a Random that is seeded with a text, only `random` is the same in all Pythons.
        generator = random.Random(f"{seed}/{name}")  # noqa: S311
        sources[name] = (distribution(values), generator)
    while True:
        trial = {}
        for name, (source, generator) in sources.items():
            trial[name] = source.value(generator.random())
        yield trial
