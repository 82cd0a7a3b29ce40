"""Runs that somebody has suspended with Argo: what runs continues, and nothing more starts."""

from collections.abc import Collection, Mapping
from functools import partial
from typing import Any

from riseml.dataclass import replace
from riseml.status import reason_words
from riseml.status.outline import Outline
from riseml.status.values import TERMINAL, ExperimentStatus, JobStatus, State

# Reasons for which a job has no pod. Kubernetes starts a pod although its run is suspended.
_WITHOUT_POD = frozenset({"RETRY", "LOCK", "QUOTA"})


def marked(outline: Outline, experiment: ExperimentStatus) -> ExperimentStatus:
    """Return an experiment with the reason SUSPENDED if only that keeps it from going on."""
    if not outline.is_suspended or not _has_no_pod(experiment):
        return experiment
    message = _message(outline)
    jobs = tuple(map(partial(_marked_job, message=message), experiment.jobs))
    return replace(
        experiment, reason=reason_words.SUSPENDED, message=message, jobs=jobs
    )


def reason_of_run(outline: Outline, states: Collection[State]) -> tuple[str, str]:
    """Return the reason and the message of a run, empty ones unless it is suspended.

    `states` are those of its experiments.
    """
    states = set(states) or {State.CREATED}
    if not outline.is_suspended or states <= TERMINAL:
        return "", ""
    return reason_words.SUSPENDED, _message(outline)


def resume_command(document: Mapping[str, Any]) -> str:
    """Return the command that continues a suspended Workflow, with its namespace if it is known."""
    metadata = document["metadata"]
    command = f"argo resume {metadata['name']}"
    namespace = metadata.get("namespace")
    return f"{command} -n {namespace}" if namespace else command


def _marked_job(job: JobStatus, message: str) -> JobStatus:
    if not _has_no_pod(job):
        return job
    return replace(job, reason=reason_words.SUSPENDED, message=message)


def _has_no_pod(status: ExperimentStatus | JobStatus) -> bool:
    is_pending = status.state is State.PENDING and status.reason in _WITHOUT_POD
    return is_pending or status.state is State.CREATED


def _message(outline: Outline) -> str:
    return f"suspended with Argo; `{resume_command(outline.document)}` continues it"
