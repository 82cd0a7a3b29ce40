"""Watch for experiments that are held while a command waits for their run."""

import math
import time
from collections.abc import Callable

from riseml.client.context import ClientContext, run_of
from riseml.engines.selection import experiments
from riseml.ids import Id
from riseml.status import ExperimentStatus
from riseml.status.held import may_be_held

OnHold = Callable[[ExperimentStatus], None]
"""Function that is called once for each hold of an experiment."""

# Neither the document of a run nor a change of it says that a job is held.
_PAUSE_SECONDS = 5.0


class HoldWatch:
    """Reports each hold of a run or experiment once; it reads nothing of a run that cannot have any."""

    def __init__(
        self, context: ClientContext, subject: Id, on_hold: OnHold | None
    ) -> None:
        self._context, self._subject, self._on_hold = context, subject, on_hold
        self._reported: set[tuple[str, int]] = set()
        self._due = math.inf
        if on_hold is not None and self._may_have_holds():
            self._due = time.monotonic()

    def seconds(self) -> float:
        """Return the time until the next look, infinite if there is none."""
        return self._due - time.monotonic()

    def look(self) -> None:
        """Report new holds if it is time for that."""
        if self._on_hold is None or self.seconds() > 0:
            return
        for experiment in self._experiments():
            hold = experiment.id, experiment.attempt
            if experiment.held_until is not None and hold not in self._reported:
                self._reported.add(hold)
                self._on_hold(experiment)
        self._due = time.monotonic() + _PAUSE_SECONDS

    def _may_have_holds(self) -> bool:
        return any(map(may_be_held, self._experiments()))

    def _experiments(self) -> list[ExperimentStatus]:
        run = self._context.engine.read(run_of(self._subject))
        return list(experiments(run, self._subject))
