"""Remarks about jobs that used more than they requested, where nothing has limited them."""

from riseml import phrases
from riseml.dataclass import replace
from riseml.status.values import ExperimentStatus, JobStatus

_OUT_OF_MEMORY = "OOM"


def with_notes(experiment: ExperimentStatus) -> ExperimentStatus:
    """Return an experiment that has ended, with a note for each job that used too much memory."""
    notes = list(experiment.notes)
    for job in experiment.jobs:
        subject = "" if len(experiment.jobs) == 1 else f"{_name(experiment, job)} "
        note = _memory(job, subject)
        if note and note not in notes:
            notes.append(note)
    return replace(experiment, notes=tuple(notes))


def _name(experiment: ExperimentStatus, job: JobStatus) -> str:
    return job.id.removeprefix(f"{experiment.id}.")


def _memory(job: JobStatus, subject: str) -> str:
    """Return what to say about the memory of a job, empty if there is nothing to say."""
    if job.usage is None or job.resources is None:
        return ""
    # Its reason says so already.
    if job.reason == _OUT_OF_MEMORY:
        return ""
    used, requested = job.usage.mem_peak, job.resources.mem
    if used is None or not 0 < requested < used:
        return ""
    return (
        f"{subject}used {phrases.memory(used)} of memory, "
        f"asked for {phrases.memory(requested)}: a cluster may kill such a job"
    )
