"""Parts of a run that commands print: runs, experiments and jobs."""

from riseml.status import ExperimentStatus, JobStatus, SetStatus

AnyStatus = SetStatus | ExperimentStatus | JobStatus


def single_experiment(status: AnyStatus) -> ExperimentStatus | None:
    """Return an experiment itself, or the only experiment of a run that is not a set.

    Sets and jobs have none, and neither has a run listed without experiments.
    """
    if isinstance(status, ExperimentStatus):
        return status
    if isinstance(status, JobStatus) or status.is_set:
        return None
    return status.experiments[0] if status.experiments else None


def is_set(status: AnyStatus) -> bool:
    """Return whether this is a run with several experiments."""
    return isinstance(status, SetStatus) and status.is_set
