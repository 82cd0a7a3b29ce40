"""Runs as screens show them: views that are redrawn, and reads for a table."""

from riseml.engines import Engine
from riseml.engines.code import SummarizesRuns
from riseml.engines.views import ProvidesViews, RunView
from riseml.ids import Id
from riseml.status import SetStatus


def open_view(engine: Engine, id: Id) -> RunView:
    """Return a view of the run that an id belongs to.

    Raises:
        NotFoundError: there is no such run.
    """
    if isinstance(engine, ProvidesViews):
        return engine.view(id)
    return _CompleteView(engine, Id(id.user, id.number))


def read_brief(engine: Engine, run: Id) -> SetStatus:
    """Return a run; experiments of a set may lack their jobs.

    Those at work have them, and the one in the id.

    Raises:
        NotFoundError: there is no such run.
    """
    if isinstance(engine, SummarizesRuns):
        return engine.read_brief(run)
    return engine.read(Id(run.user, run.number))


class _CompleteView:
    def __init__(self, engine: Engine, run: Id) -> None:
        self._engine, self._run = engine, run

    def read(self) -> SetStatus:
        return self._engine.read(self._run)

    def close(self) -> None:
        """Do nothing: there is no connection."""
