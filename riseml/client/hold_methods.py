"""Methods of `riseml.Client` for jobs that are held after a failure."""

from riseml.client.context import ClientContext
from riseml.ids import Id


class HoldMethods:
    """The part of a client that releases jobs which `hold_on_failure` keeps."""

    _context: ClientContext

    def release(self, *names: str | Id) -> list[str]:
        """Release the held jobs of runs, experiments or jobs; return the ids of the jobs.

        Without ids, those of the newest run are released. A job ends a moment later, with
        the exit code of its failure.

        Raises:
            InvalidInputError: an id is that of a user; nothing was released.
            NotFoundError: nothing has an id, or no job of it is held; nothing was released.
            UnsupportedError: the engine holds no jobs.
        """
        from riseml.client import holds

        return holds.release(self._context, names)
