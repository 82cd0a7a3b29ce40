"""What of a run a log query asks for, and how a change of its state is told: the same for every engine."""

from collections.abc import Iterable, Iterator

from riseml.engines import Change
from riseml.ids import Id
from riseml.status import ExperimentStatus, JobStatus, SetStatus


def parts(
    whole: SetStatus, wanted: Id
) -> Iterator[SetStatus | ExperimentStatus | JobStatus]:
    """Yield what of a run the id asks for: its own jobs (the build comes first), experiments after theirs, itself."""
    own = wanted.sub is None or not whole.is_set
    yield from (job for job in whole.jobs if own and is_meant(job, wanted))
    for experiment in experiments(whole, wanted):
        yield from (job for job in experiment.jobs if is_meant(job, wanted))
        if wanted.type is None and whole.is_set:
            yield experiment
    if own and wanted.type is None:
        yield whole


def experiments(whole: SetStatus, wanted: Id) -> Iterable[ExperimentStatus]:
    """Return the experiments that an id asks for."""
    return (
        part
        for part in whole.experiments
        if wanted.sub is None or part.sub in (None, wanted.sub)
    )


def is_meant(job: JobStatus, wanted: Id) -> bool:
    """Whether an id asks for a job of its experiment, or of its run."""
    return wanted.type is None or (
        job.type == wanted.type and wanted.index in (None, job.index)
    )


def change(part: SetStatus | ExperimentStatus | JobStatus) -> Change:
    """Return the change of state that the status of something tells."""
    code = None if isinstance(part, SetStatus) else part.exit_code
    return Change(
        part.id,
        part.state,
        part.finished or part.started,
        part.reason,
        part.message,
        code,
    )
