"""Views of runs: what engines provide for screens that are redrawn every second."""

from typing import TYPE_CHECKING, Protocol, runtime_checkable

from riseml.ids import Id
from riseml.status import SetStatus

# Only `monitor` needs it.
if TYPE_CHECKING:
    from riseml.readings import JobUsage


class RunView(Protocol):
    """Status of one run for a view that is redrawn every second."""

    def read(self) -> SetStatus:
        """Return the run as it is now, with what its running experiments have reported.

        It must be cheap for any number of experiments, and wait for nothing that takes
        long. The jobs of a set's experiments may be missing.

        Raises:
            NotFoundError: the run was deleted.
            UnreachableError: the engine has not answered for a minute.
        """

    def close(self) -> None:
        """Release connections."""


@runtime_checkable
class ProvidesViews(Protocol):
    """Provided by engines that show running experiments without reading everything again."""

    def view(self, run: Id) -> RunView:
        """Return a view of a run. With an experiment or job in the id, that has its jobs.

        Raises:
            NotFoundError: there is no such run.
        """


class UsageView(Protocol):
    """What running jobs use, for a view that is redrawn every second."""

    def read(self) -> "list[JobUsage]":
        """Return what the jobs that are running use now, in the order of their start.

        Rates are those since the last call; the first one takes a moment for them.

        Raises:
            UnreachableError: the engine does not answer.
        """

    def close(self) -> None:
        """Release connections."""
