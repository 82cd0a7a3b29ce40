"""Release of jobs that are held after a failure."""

from collections.abc import Sequence

from riseml.client.context import ClientContext
from riseml.engines import selection
from riseml.engines.capabilities import HoldsJobs
from riseml.errors import NotFoundError, UnsupportedError
from riseml.ids import Id
from riseml.status import SetStatus
from riseml.status.select import pick


def release(context: ClientContext, names: Sequence[str | Id]) -> list[str]:
    """Release held jobs; see `Client.release`."""
    engine = context.engine
    if not isinstance(engine, HoldsJobs):
        raise UnsupportedError(
            f"the engine {engine.name} holds no jobs after a failure"
        )
    # All ids are read before the first job is released, so that a wrong id releases none.
    selected = []
    for name in names or (None,):
        subject = context.find_id(name)
        run = context.read(subject)
        selected.append((run, _held(run, subject)))
    released: list[str] = []
    for run, jobs in selected:
        new_jobs = [job for job in jobs if job not in released]
        engine.release(run, new_jobs)
        released += new_jobs
    return released


def _held(run: SetStatus, subject: Id) -> list[str]:
    """Return the ids of the held jobs that an id selects.

    Raises:
        NotFoundError: there are none.
    """
    pick(run, subject)
    jobs = selection.jobs(run, subject)
    held = [job.id for _, job in jobs if job.held_until is not None]
    if not held:
        raise NotFoundError(
            f"no job of {subject} is held",
            f"`riseml status {subject}` shows its state.",
        )
    return held
