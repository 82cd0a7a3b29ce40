"""Choice of the job that a command or a connection is for, and access to it."""

from collections.abc import Callable, Iterator, Sequence

from riseml.client.context import ClientContext
from riseml.engines import selection
from riseml.engines.access import Command, JobAccess, Streams
from riseml.engines.capabilities import GivesAccess, HasLocalOutput
from riseml.errors import InvalidInputError, NotFoundError, UnsupportedError
from riseml.excerpts import first_of
from riseml.ids import Id
from riseml.status import JobStatus, SetStatus, State
from riseml.status.select import pick

# An error lists no more jobs than that.
_MAX_NAMES = 10
_STARTING = (State.PENDING, State.STARTING)
_GREETING = (
    # A line for each sentence, so that no terminal wraps them.
    "This is a shell in job {id}, in {{directory}}.\n"
    "`exit` or Ctrl-D leaves it; the job goes on."
)
_ENDED = "riseml: {id} has ended, and {subject} with it"


def run(
    context: ClientContext,
    id: str | Id,
    words: Sequence[str],
    *,
    tty: bool | None,
    streams: Streams | None,
    on_note: Callable[[str], None] | None,
) -> int:
    """Run a command, or without words a shell, in a job; return its exit status.

    Raises:
        InvalidInputError: several jobs run, and the id does not say which is meant.
        NotFoundError: nothing has this id, or it does not run.
        UnsupportedError: the engine gives no access to its jobs.
    """
    job, access = open_job(context, id)
    command = Command(
        tuple(words),
        tty,
        streams or Streams(),
        "" if words else _GREETING.format(id=job.id),
    )
    try:
        outcome = access.run(command)
    finally:
        access.close()
    if outcome.job_ended and on_note:
        subject = "this command" if words else "this shell"
        on_note(_ENDED.format(id=job.id, subject=subject))
    return outcome.status


def open_job(
    context: ClientContext,
    id: str | Id,
) -> tuple[JobStatus, JobAccess]:
    """Return the running job that an id names, and access to it; raises as `run` does."""
    engine = context.engine
    if not isinstance(engine, GivesAccess):
        raise UnsupportedError(f"the engine {engine.name} gives no access to its jobs")
    subject = context.find_id(id)
    status = context.read(subject)
    target = pick(status, subject)
    if isinstance(target, JobStatus):
        candidates = [target]
    else:
        candidates = list(_jobs(status, subject))
    job = _choose(target.id, candidates)
    absence = _not_running(context, target.id, target.state)
    if job is None:
        raise absence
    try:
        return job, engine.access(status, job)
    except NotFoundError:
        if job.state is State.RUNNING:
            raise
        raise absence from None


def _choose(name: str, candidates: Sequence[JobStatus]) -> JobStatus | None:
    """Return the only running job; None if no job runs, or several may be about to.

    Raises:
        InvalidInputError: several run.
    """
    running = [job for job in candidates if job.state is State.RUNNING]
    # An engine may learn later that a job has started.
    starting = [job for job in candidates if job.state in _STARTING]
    if len(running) > 1:
        ids = [job.id for job in running]
        raise InvalidInputError(
            f"{name} has {len(running)} running jobs",
            f"Name one: {first_of(ids, _MAX_NAMES)}.",
        )
    if not running and len(starting) != 1:
        return None
    return (running or starting)[0]


def _jobs(run: SetStatus, subject: Id) -> Iterator[JobStatus]:
    for experiment in selection.experiments(run, subject):
        yield from experiment.jobs


def _not_running(context: ClientContext, id: str, state: State) -> NotFoundError:
    if not state.is_terminal:
        return NotFoundError(
            f"{id} is not running: it is {state}", f"`riseml why {id}` says why."
        )
    advice = f"`riseml logs {id}` shows what it wrote."
    engine, subject = context.engine, context.find_id(id)
    if isinstance(engine, HasLocalOutput):
        advice += f" Its output is in {engine.folder(subject.experiment)}."
    else:
        numbers = filter(None, (subject.number, subject.sub))
        path = "/".join(map(str, numbers))
        advice += f" `riseml ls output://~/{path}` lists its output."
    if state is State.FAILED:
        advice += " With `hold_on_failure: 30m`, a job that fails waits for `shell`."
    return NotFoundError(f"{id} has ended: it is {state}", advice)
