"""Marks of jobs' pods on a cluster: that a pod took the place of a deleted one, and that a signal came.

The run script writes them into `.riseml/pod.<job>.<attempt>`; see templates/pod.sh.
"""

from collections.abc import Mapping

from riseml.dataclass import replace
from riseml.status import reasons
from riseml.status.values import ExperimentStatus, JobStatus, State

PREFIX = "pod."
"""What the name of the file in `.riseml` has before `<job>.<attempt>`."""

_TERMINATED = (State.FAILED, "ERROR", 143)


def read(text: str) -> frozenset[str]:
    """Return the words of a file."""
    return frozenset(text.split())


def with_marks(
    experiment: ExperimentStatus, marks: Mapping[str, frozenset[str]]
) -> ExperimentStatus:
    """Return an experiment with what the marks of its jobs say, by `<job>.<attempt>`."""
    jobs = {}
    notes = list(experiment.notes)
    for job in experiment.jobs:
        name = job.id.removeprefix(f"{experiment.id}.")
        words = marks.get(f"{name}.{job.attempt}", frozenset())
        jobs[job.id] = _with_words(job, words)
        if "anew" in words:
            notes.append(f"{job.id} was {reasons.STARTED_ANEW}")
    marked = replace(experiment, notes=tuple(notes), jobs=tuple(jobs.values()))
    guilty = jobs.get(experiment.guilty or "")
    if guilty is None:
        return marked
    return replace(marked, reason=guilty.reason, message=guilty.message)


def _with_words(job: JobStatus, words: frozenset[str]) -> JobStatus:
    """Return a job; it was deleted if a signal ended it that nobody seems to have sent.

    Argo may see the end of a job before it sees that its pod was deleted.
    """
    outcome = (job.state, job.reason, job.exit_code)
    if "stopped" not in words or outcome != _TERMINATED:
        return job
    return replace(job, reason="DELETED", message=reasons.DELETED_EXTERNALLY)
