"""Explanations of why an experiment waits or how it ended, with fixes: `riseml why`.

    engine ──gathers──▶ Evidence ──explain──▶ Cause: the explanation, the lines of
                                              Kubernetes or of the log, the fix

A status names its reason with one word (`riseml/status/reasons.py`). This package has
one function for each of these words, which searches the evidence for the cause. Logs of
failed programs have modules of their own: missing_files, missing_modules, used_ports. The
functions are pure: evidence is plain data, and nothing is requested from a cluster.
"""

from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter

from riseml import labels
from riseml.diagnosis import capacity, ended, gangs, not_started, preparation, quotas
from riseml.diagnosis.evidence import Cause, Evidence, Explain, Subject
from riseml.status import ExperimentStatus, JobStatus, SetStatus, State

__all__ = ["Cause", "Evidence", "explain", "guilty", "running_builds"]

_EXPLANATIONS: Mapping[str, Explain] = {
    **capacity.EXPLANATIONS,
    **quotas.EXPLANATIONS,
    **preparation.EXPLANATIONS,
    **not_started.EXPLANATIONS,
    **ended.EXPLANATIONS,
}
# Type and state of a job that makes an image or environment now.
_RUNNING_BUILDS = tuple((type_, State.RUNNING) for type_ in labels.BUILD_TYPES)
# States of jobs that decide an experiment's state, the most decisive one first.
_DECISIVE_STATES: Mapping[State, tuple[State, ...]] = {
    State.BUILDING: (State.BUILDING, State.PENDING, State.STARTING),
    State.PENDING: (State.PENDING, State.STARTING),
    State.STARTING: (State.STARTING, State.PENDING),
    State.RUNNING: (State.RUNNING,),
}
_WAITING = frozenset({State.PENDING, State.STARTING})


def explain(evidence: Evidence) -> list[Cause]:
    """Return the causes for the subject of evidence.

    Experiments with the same cause share one.
    """
    causes = [_explain(evidence, subject) for subject in _subjects(evidence)]
    return _merged(causes)


def guilty(subject: SetStatus | ExperimentStatus | JobStatus) -> list[str]:
    """Return the ids of the jobs whose logs show why something failed.

    There is at most one for each kind of failure.
    """
    if isinstance(subject, JobStatus):
        has_log = subject.state in (State.FAILED, State.RUNNING)
        return [subject.id] if has_log else []
    experiments = subject.experiments if isinstance(subject, SetStatus) else (subject,)
    # Reading one log per kind of failure is enough, and keeps `why` fast on large sets.
    jobs: dict[tuple[str, int | None], str] = {}
    for experiment in experiments:
        if experiment.guilty:
            failure = (experiment.reason, experiment.exit_code)
            jobs.setdefault(failure, experiment.guilty)
    return list(jobs.values())


def running_builds(run: SetStatus) -> list[JobStatus]:
    """Return the jobs that make the image or environment of a run now."""
    return [job for job in run.jobs if (job.type, job.state) in _RUNNING_BUILDS]


def _subjects(evidence: Evidence) -> list[Subject]:
    run, subject = evidence.run, evidence.subject
    if isinstance(subject, JobStatus):
        return [Subject.of_job(subject, _experiment_of(run, subject))]
    # Without a controller there is nothing to say about single experiments.
    if run.reason == "CONTROLLER":
        return [Subject.of_run(run)]
    if isinstance(subject, ExperimentStatus):
        return [_decisive(run, subject)]
    return [_decisive(run, experiment) for experiment in run.experiments]


def _decisive(run: SetStatus, experiment: ExperimentStatus) -> Subject:
    """Return the job that decides an experiment's state, or else the experiment."""
    job = _decisive_job(run, experiment)
    # An experiment that waits for a slot of its set has no jobs yet.
    if job is None:
        return Subject.of_experiment(experiment)
    return Subject.of_job(job, experiment)


def _decisive_job(run: SetStatus, experiment: ExperimentStatus) -> JobStatus | None:
    # A build is a job of the run: it may fail all experiments, or hold them up.
    jobs = {job.id: job for job in (*experiment.jobs, *run.jobs)}
    if experiment.guilty in jobs:
        return jobs[experiment.guilty]
    if experiment.state is State.BUILDING:
        builds = running_builds(run)
        return builds[0] if builds else _unfinished_job(run.jobs, experiment.state)
    return _unfinished_job(experiment.jobs, experiment.state)


def _unfinished_job(
    jobs: Sequence[JobStatus], of_experiment: State
) -> JobStatus | None:
    """Return the job that decides the state of its experiment."""
    states = _DECISIVE_STATES.get(of_experiment, ())
    with_reason = _first_in(states, filter(attrgetter("reason"), jobs))
    # A job that waits without a reason has a pod that says more than its experiment.
    if with_reason is None and of_experiment in _WAITING:
        return _first_in(states, jobs)
    return with_reason


def _first_in(states: Iterable[State], jobs: Iterable[JobStatus]) -> JobStatus | None:
    first: dict[State, JobStatus] = {}
    for job in jobs:
        first.setdefault(job.state, job)
    return next(filter(None, map(first.get, states)), None)


def _experiment_of(run: SetStatus, job: JobStatus) -> ExperimentStatus | None:
    for experiment in run.experiments:
        if job in experiment.jobs:
            return experiment
    return None


def _explain(evidence: Evidence, subject: Subject) -> Cause:
    if subject.is_running_build:
        return not_started.building(evidence, subject)
    has_ended = subject.state.is_terminal
    # A newer Argo may report reasons that have no explanation yet.
    default = ended.unknown_reason if has_ended else not_started.not_blocked
    function = _EXPLANATIONS.get(subject.reason, default)
    return gangs.with_waiting_peers(function(evidence, subject), subject)


def _merged(causes: Iterable[Cause]) -> list[Cause]:
    """Join causes that differ only in their subjects."""
    joined: dict[tuple[str, str], Cause] = {}
    for cause in causes:
        key = (cause.kind, cause.explanation)
        if key in joined:
            joined[key] = joined[key].extended(cause.ids)
        else:
            joined[key] = cause
    # What has gone well explains nothing: in a large set it would hide the rest.
    return sorted(joined.values(), key=lambda cause: cause.state is State.FINISHED)
