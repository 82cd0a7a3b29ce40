"""Search strategies: choose which assignments of parameter values become the experiments of a set.

Each strategy is one module, named as `train.search` in riseml.yml names it:

    search: grid                                  ──▶  riseml/search/grid.py, or the module that
    search: {method: grid}                             the entry point group `riseml.search` names

The module defines what `Strategy` declares and needs no change anywhere else. `grid.py` is
the default and the simplest example. What only some strategies have is optional:

    DRAWS = True                     the strategy accepts distributions, not only lists of values
    MEASURES = True                  it compares experiments, so the file has to name a metric
    faults(parameters, options)      what is wrong with a file besides the options themselves
    suggest(request)                 instead of `trials`: the parameters of the next round, given
                                     the results of all rounds before (`riseml.rounds`)
    INSTALL = ("pip install x",)     the install steps of the job in which `suggest` runs
    early_stop(options)              the rule by which experiments stop early, a `riseml.plan.EarlyStop`
    brackets(count, options)         the bracket of each trial, if that rule has several

`suggest` runs without its module. So it imports all that it uses, from the standard library,
from what INSTALL installs, or from `riseml.rounds` and `riseml.distributions`. The options of
such a strategy have `batch` (0: as many experiments as run at the same time) and `image`.

Keys that all strategies have are read here: `method`, and the `metric` and `mode` that decide
which experiment is the best. Options with a field `seed` get one from the planner if the
file has none.

A plan may be made more than once for one run, on different machines. So a strategy returns
the same trials for the same arguments: one that draws random numbers takes its seed from
its options.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, cast

from riseml import plugins
from riseml.distributions import (
    Distribution,
    Parameters,
    combinations,
    distribution,
)
from riseml.plan import EarlyStop, Rounds
from riseml.schema.fields import Integer, Record

DEFAULT = "grid"
"""The strategy of a riseml.yml without `search`."""

MAX_TRIALS = 100_000
"""Experiments that one set may have."""

SEED = Integer(0).says(
    "Number that decides all random choices.",
    otherwise="each run has its own",
    example=1,
)
"""The key `seed` of a strategy's section."""

_KIND = "search"
_REQUIRED = ("SECTION", "size")


class Fault(NamedTuple):
    """What a strategy finds wrong with a file.

    `key` is the path below `train` of what is wrong, such as `search.trials`.
    """

    key: str
    message: str
    advice: str = ""


def too_many_trials(parameters: Parameters, trials: int) -> tuple[Fault, ...]:
    """Return a fault if there are fewer assignments than trials that each need one."""
    possible = combinations(parameters)
    if possible is None or possible >= trials:
        return ()
    fault = Fault(
        "search.trials",
        f"{trials} trials are more than the parameters' {possible} combinations",
        "Write method: grid to run all of them, or fewer trials.",
    )
    return (fault,)


class Strategy(Protocol):
    """The contract of a search strategy's module.

    `parameters` maps each name to its values as the user wrote them, ranges expanded, or to a
    `Distribution` if the strategy `DRAWS`. It is never empty: a riseml.yml without parameters
    is a single experiment, and no strategy is asked. A list of values is empty only for
    `size`, and only if the file has errors. `options` is what SECTION makes.
    """

    SECTION: Record[Any]
    """The keys of `train.search` beside those of all strategies; made without arguments where the file has none."""

    def size(self, parameters: Parameters, options: Any) -> int:
        """Return the number of trials without making them; less than 1 and more than MAX_TRIALS are refused."""

    def trials(
        self, parameters: Parameters, options: Any
    ) -> Sequence[Mapping[str, str]]:
        """Return the trials in the order in which they are numbered.

        A trial maps every parameter to one value. Equal arguments give equal trials.
        """


def names() -> tuple[str, ...]:
    """Return the names that `search` accepts, sorted."""
    return plugins.names(_KIND)


def exists(name: str) -> bool:
    """Return whether there is such a strategy; quicker than reading all names."""
    return plugins.exists(_KIND, name)


def find(name: str) -> Strategy:
    """Return the strategy of this name.

    Raises:
        InvalidInputError: there is no such strategy.
        RiseMLError: another package's module is broken.
    """
    strategy = plugins.load(_KIND, name, _REQUIRED)
    if not has_rounds(strategy):
        plugins.load(_KIND, name, ("trials",))
    return cast("Strategy", strategy)


def measures(strategy: Strategy) -> bool:
    """Return whether a strategy compares experiments by a metric."""
    return bool(getattr(strategy, "MEASURES", False))


def faults(strategy: Strategy, parameters: Parameters, options: Any) -> Iterator[Fault]:
    """Yield what a strategy finds wrong with a file."""
    if not getattr(strategy, "DRAWS", False):
        yield from _undrawn(parameters)
    if hasattr(strategy, "faults"):
        yield from strategy.faults(parameters, options)


def _undrawn(parameters: Parameters) -> Iterator[Fault]:
    for name, values in parameters.items():
        if isinstance(values, Distribution):
            yield Fault(
                f"parameters.{name}",
                f"the search draws no values, so '{name}' cannot have a distribution",
                "List its values, or write for example search: {method: random, trials: 20}.",
            )


def early_stop(strategy: Strategy, options: Any) -> EarlyStop | None:
    """Return the rule by which a strategy stops experiments early, None if it never does."""
    if not hasattr(strategy, "early_stop"):
        return None
    return cast("EarlyStop", strategy.early_stop(options))


def brackets(strategy: Strategy, count: int, options: Any) -> Sequence[int]:
    """Return the bracket of each trial, from 0."""
    if not hasattr(strategy, "brackets"):
        return [0] * count
    return cast("Sequence[int]", strategy.brackets(count, options))


def has_rounds(strategy: object) -> bool:
    """Return whether a strategy chooses parameters from the results of earlier rounds."""
    return hasattr(strategy, "suggest")


def rounds(
    strategy: Any, parameters: Parameters, options: Any, concurrency: int
) -> Rounds:
    """Return how a strategy with rounds chooses parameters."""
    # It takes long to load, and few runs need it.
    import inspect  # noqa: PLC0415

    space = {name: distribution(values) for name, values in parameters.items()}
    return Rounds(
        batch=options.batch or concurrency,
        space=space,
        program=inspect.getsource(strategy.suggest),
        image=options.image,
        install=tuple(strategy.INSTALL),
        settings=dict(vars(options)),
    )
