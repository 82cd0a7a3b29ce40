"""Selection of a part of a run by its id."""

from riseml.errors import NotFoundError
from riseml.ids import Id
from riseml.status.values import ExperimentStatus, JobStatus, SetStatus

# Jobs that an error lists at most
_NAMED = 10


def pick(run: SetStatus, wanted: Id) -> SetStatus | ExperimentStatus | JobStatus:
    """Return the part of a run that an id names.

    Raises:
        NotFoundError: the run has no such part; the advice lists its jobs.
    """
    experiment = next(
        (
            each
            for each in run.experiments
            if wanted.sub is not None and each.sub == wanted.sub
        ),
        None,
    )
    if wanted.sub is not None and experiment is None:
        has = (
            f"has {len(run.experiments)} experiments"
            if run.is_set
            else "is a single experiment"
        )
        raise NotFoundError(
            f"there is no experiment {wanted.experiment}",
            f"{Id(wanted.user, wanted.number)} {has}.",
        )
    if wanted.type is None:
        return experiment or run
    jobs = (
        experiment.jobs
        if experiment
        else (*run.jobs, *(job for each in _single(run) for job in each.jobs))
    )
    job = next(
        (
            each
            for each in jobs
            if each.type == wanted.type and each.index == wanted.index
        ),
        None,
    )
    if job is None:
        more = ", ..." if len(jobs) > _NAMED else ""
        advice = (
            f"Jobs are {', '.join(each.id for each in jobs[:_NAMED])}{more}."
            if jobs
            else ""
        )
        raise NotFoundError(f"there is no job {wanted}", advice)
    return job


def _single(run: SetStatus) -> tuple[ExperimentStatus, ...]:
    return () if run.is_set else run.experiments
