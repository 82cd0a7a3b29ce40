"""Views of runs: what engines provide for screens that are redrawn every second."""

from typing import Protocol, runtime_checkable

from riseml.ids import Id
from riseml.status import SetStatus


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
