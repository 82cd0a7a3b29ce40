"""Why an experiment waits, or how it came to its end, and what helps: `riseml why`.

    engine ──gathers──▶ Evidence ──explain──▶ Cause: what it is, the words of Kubernetes or of the job for it, the fix

Status says the reason in one word (`riseml/status/reasons.py`); here each word has a function that finds in the
evidence what stands behind it. All is plain data: the functions ask nobody.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping

from riseml.diagnosis import ended, not_started
from riseml.diagnosis.evidence import Cause, Evidence, Subject
from riseml.status import ExperimentStatus, JobStatus, SetStatus, State

__all__ = ["Cause", "Evidence", "explain", "guilty"]

Explain = Callable[[Evidence, Subject], Cause]
_WORDS: Mapping[str, Explain] = {**not_started.WORDS, **ended.WORDS}


def explain(evidence: Evidence) -> list[Cause]:
    """Return the causes for the part of a run that was asked for, equal ones of several experiments as one."""
    whole = evidence.run
    if isinstance(evidence.subject, JobStatus):
        subjects = [
            Subject.of_job(evidence.subject, _experiment_of(whole, evidence.subject))
        ]
    elif whole.reason == "CONTROLLER":
        subjects = [Subject.of_run(whole)]
    else:
        experiments = (
            [evidence.subject]
            if isinstance(evidence.subject, ExperimentStatus)
            else whole.experiments
        )
        subjects = list(_subjects(whole, experiments))
    return _together(_explain(evidence, subject) for subject in subjects)


def guilty(part: SetStatus | ExperimentStatus | JobStatus) -> list[str]:
    """Return the ids of the jobs whose log tells why a part of a run failed, one at most for each kind of failure."""
    if isinstance(part, JobStatus):
        return [part.id] if part.state in (State.FAILED, State.RUNNING) else []
    experiments = part.experiments if isinstance(part, SetStatus) else (part,)
    found: dict[str, str] = {}
    for experiment in experiments:
        if experiment.guilty:
            found.setdefault(
                f"{experiment.reason} {experiment.exit_code}", experiment.guilty
            )
    return list(found.values())


def _subjects(
    whole: SetStatus, experiments: Iterable[ExperimentStatus]
) -> Iterator[Subject]:
    """Yield what has to be explained of experiments: the job that decides, or the experiment where none does."""
    own = {job.id: job for job in whole.jobs}
    for experiment in experiments:
        jobs = {job.id: job for job in experiment.jobs}
        deciding = jobs.get(experiment.guilty or "") or own.get(experiment.guilty or "")
        if deciding is None and experiment.state in (
            State.PENDING,
            State.STARTING,
            State.BUILDING,
        ):
            states = (experiment.state, State.PENDING, State.STARTING)
            candidates = (
                own.values() if experiment.state is State.BUILDING else jobs.values()
            )
            deciding = next(
                (
                    job
                    for state in states
                    for job in candidates
                    if job.state is state and job.reason
                ),
                None,
            )
        if deciding is None:
            troubled = (
                job
                for job in jobs.values()
                if job.state is experiment.state and job.reason
            )
            deciding = (
                next(troubled, None) if experiment.state is State.RUNNING else None
            )
        yield (
            Subject.of_job(deciding, experiment)
            if deciding
            else Subject.of_experiment(experiment)
        )


def _experiment_of(whole: SetStatus, job: JobStatus) -> ExperimentStatus | None:
    return next((each for each in whole.experiments if job in each.jobs), None)


def _explain(evidence: Evidence, subject: Subject) -> Cause:
    found = _WORDS.get(subject.reason)
    if found is None:
        found = not_started.goes_on if not subject.state.is_terminal else ended.anything
    return found(evidence, subject)


def _together(causes: Iterable[Cause]) -> list[Cause]:
    """Join causes that differ in their subjects only."""
    joined: dict[tuple[object, ...], Cause] = {}
    for cause in causes:
        key = (cause.kind, cause.explanation)
        known = joined.get(key)
        joined[key] = cause if known is None else known.also(cause.ids)
    return list(joined.values())
