"""Status of a run that has several Workflows, the shards of its set.

    digits-14      14.1 FINISHED   14.2 FAILED     ┐
    digits-14-s2                   14.2 RUNNING    ┴──▶ 14.1 FINISHED, 14.2 RUNNING (attempt 2)

An experiment that stands in several Workflows was repeated: the last one says how it is,
and the others have its earlier attempts.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from riseml.dataclass import replace
from riseml.status import attempts
from riseml.status.values import (
    ExperimentStatus,
    JobStatus,
    SetStatus,
    ShardStatus,
    State,
    count,
    set_state,
)

# A shared job, such as the build, is shown in the first of these states that a shard reports.
_JOB_STATES = (
    State.FAILED,
    State.RUNNING,
    State.STARTING,
    State.PENDING,
    State.BUILDING,
    State.CREATED,
    State.KILLED,
    State.FINISHED,
)


def shard_of(run: SetStatus, index: int) -> ShardStatus:
    """Return what the experiments of one Workflow of a run run.

    A record that does not know it has only one.
    """
    for shard in run.workflows:
        if shard.index == index:
            return shard
    return run.workflows[0]


def seen_from(run: SetStatus, experiment: ExperimentStatus) -> SetStatus:
    """Return a run with the code and the configuration that one of its experiments ran."""
    shard = shard_of(run, experiment.shard)
    # What Git said belongs to the revision of the run.
    git = run.git if shard.revision == run.revision else None
    return replace(
        run,
        revision=shard.revision,
        config=shard.config,
        base_image=shard.base_image,
        git=git,
    )


def merged(runs: Sequence[SetStatus]) -> SetStatus:
    """Return the run whose Workflows were read, in their order.

    The first of `runs` may be the record of several Workflows.
    """
    if len(runs) == 1:
        return runs[0]
    experiments = _experiments(runs)
    counts = count(experiments)
    state = set_state(counts)
    finished = None
    if state.is_terminal:
        # A Workflow may end long before the set does.
        finished = max(_times(run.finished for run in runs), default=None)
    shards: list[ShardStatus] = []
    for run in runs:
        shards += run.shards or run.workflows
    return replace(
        runs[0],
        state=state,
        counts=counts,
        started=min(_times(run.started for run in runs), default=None),
        finished=finished,
        experiments=tuple(experiments),
        jobs=_jobs(runs),
        shards=tuple(shards),
    )


def _times(times: Iterable[datetime | None]) -> Iterable[datetime]:
    return filter(None, times)


def _experiments(runs: Sequence[SetStatus]) -> list[ExperimentStatus]:
    """Return all experiments by their number, each as the last Workflow reports it."""
    latest: dict[int | None, ExperimentStatus] = {}
    for run in runs:
        for experiment in run.experiments:
            earlier = latest.get(experiment.sub)
            latest[experiment.sub] = experiment
            if earlier is not None:
                latest[experiment.sub] = repeated(earlier, experiment)
    return sorted(latest.values(), key=_number)


def repeated(earlier: ExperimentStatus, later: ExperimentStatus) -> ExperimentStatus:
    """Return an experiment that was repeated, with its earlier attempts."""
    return replace(
        later, created=earlier.created, jobs=attempts.following(earlier, later)
    )


def _number(experiment: ExperimentStatus) -> int:
    return experiment.sub or 1


def _jobs(runs: Sequence[SetStatus]) -> tuple[JobStatus, ...]:
    """Return the run's own jobs, each as the Workflow reports it that says most."""
    jobs: dict[str, JobStatus] = {}
    for run in runs:
        is_added = run.workflows[-1].is_added
        for job in run.jobs:
            known_job = job if is_added else jobs.get(job.id, job)
            jobs[job.id] = min(known_job, job, key=_priority)
    return tuple(jobs.values())


def _priority(job: JobStatus) -> int:
    return _JOB_STATES.index(job.state)
