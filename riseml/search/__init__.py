"""Search strategies: choose which assignments of parameter values become the experiments of a set.

Each strategy is one module, named as `train.search` in riseml.yml names it:

    search: grid                                  ──▶  riseml/search/grid.py, or the module that
    search: {strategy: grid}                           the entry point group `riseml.search` names

The module defines what `Strategy` declares and needs no change anywhere else. `grid.py` is
the default and the simplest example.

A plan may be made more than once for one run, on different machines. So a strategy returns
the same trials for the same arguments: one that draws random numbers takes its seed from
its options.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, cast

from riseml import plugins
from riseml.schema.fields import Record

DEFAULT = "grid"
"""The strategy of a riseml.yml without `search`."""

MAX_TRIALS = 100_000
"""Experiments that one set may have."""

_KIND = "search"
_REQUIRED = ("SECTION", "size", "trials")


class Strategy(Protocol):
    """The contract of a search strategy's module.

    `parameters` maps each name to its values as the user wrote them, ranges expanded. It is
    never empty: a riseml.yml without parameters is a single experiment, and no strategy is
    asked. A list of values is empty only for `size`, and only if the file has errors.
    `options` is what SECTION makes.
    """

    SECTION: Record[Any]
    """The keys of `train.search` beside `strategy`; made without arguments where the file has none."""

    def size(self, parameters: Mapping[str, Sequence[str]], options: Any) -> int:
        """Return the number of trials without making them; less than 1 and more than MAX_TRIALS are refused."""

    def trials(
        self, parameters: Mapping[str, Sequence[str]], options: Any
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
    return cast("Strategy", plugins.load(_KIND, name, _REQUIRED))
