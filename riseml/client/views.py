"""Views of runs that commands redraw: those of the engine, or a complete read each time."""

from riseml.engines import Engine
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


class _CompleteView:
    def __init__(self, engine: Engine, run: Id) -> None:
        self._engine, self._run = engine, run

    def read(self) -> SetStatus:
        return self._engine.read(self._run)

    def close(self) -> None:
        """Do nothing: there is no connection."""
