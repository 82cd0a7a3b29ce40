"""Jobs that a queue of the cluster has stopped, which only the events of their pods say.

Kueue deletes the pods of a Workload whose quota it takes back. Argo knows no more of that
than `pod deleted`. Kubernetes keeps events for an hour, and the archive what they said.
"""

import json
import re
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import chain
from operator import attrgetter

from riseml.cluster.api import Api, Object, path
from riseml.dataclass import replace
from riseml.errors import RiseMLError
from riseml.queues import kueue
from riseml.status import ExperimentStatus, JobStatus, SetStatus, reason_words, reasons

_EVENTS = "reason=Stopped,involvedObject.kind=Pod"
_UIDS = re.compile(r" \(UID: [^)]*\)")


def explained(
    api: Api, namespace: str, documents: Sequence[Object], run: SetStatus
) -> SetStatus:
    """Return a run with the reason PREEMPTED for jobs that its queue has stopped."""
    jobs = chain.from_iterable(map(attrgetter("jobs"), run.experiments))
    may_be_stopped = any(map(_may_be_stopped, jobs))
    if not may_be_stopped or not any(map(_is_queued, documents)):
        return run
    try:
        events = list(api.items(path("events", namespace), fieldSelector=_EVENTS))
    except RiseMLError:
        return run
    texts = dict(map(_text, events))
    experiments = map(partial(_experiment, texts=texts), run.experiments)
    return replace(run, experiments=tuple(experiments))


def _experiment(
    experiment: ExperimentStatus, texts: Mapping[str, str]
) -> ExperimentStatus:
    jobs = tuple(map(partial(_job, texts=texts), experiment.jobs))
    experiment_with_jobs = replace(experiment, jobs=jobs)
    for old, new in zip(experiment.jobs, jobs, strict=True):
        if old.id == experiment.guilty and old.message:
            return _as_guilty(experiment_with_jobs, old, new)
    return experiment_with_jobs


def _as_guilty(
    experiment: ExperimentStatus, old: JobStatus, new: JobStatus
) -> ExperimentStatus:
    """Return an experiment that says of its guilty job what is now known."""
    reason = experiment.reason
    if reason == old.reason:
        reason = new.reason
    message = experiment.message.replace(old.message, new.message)
    return replace(experiment, reason=reason, message=message)


def _job(job: JobStatus, texts: Mapping[str, str]) -> JobStatus:
    earlier = tuple(map(partial(_job, texts=texts), job.earlier))
    job = replace(job, earlier=earlier)
    text = texts.get(_hash(job.node_id))
    if text is None or not _may_be_stopped(job):
        return job
    if job.reason == reason_words.RETRY:
        # It waits for its next attempt.
        return replace(job, message=f"attempt {job.attempt + 1} failed: {text}")
    return replace(job, reason="PREEMPTED", message=text)


def _may_be_stopped(job: JobStatus) -> bool:
    is_waiting_again = job.reason == reason_words.RETRY or bool(job.earlier)
    return is_waiting_again or reasons.from_outside(job.reason, job.exit_code)


def _is_queued(document: Object) -> bool:
    return kueue.QUEUE_LABEL in json.dumps(document["spec"].get("templates", ()))


def _text(event: Object) -> tuple[str, str]:
    """Return the hash of a pod's node, and why the pod was stopped."""
    text = _UIDS.sub("", event.get("message", ""))
    # What follows are paths of Kueue's cohorts.
    return _hash(event["involvedObject"]["name"]), text.partition(";")[0]


def _hash(text: str) -> str:
    """Return the hash at the end of the id of a node, and of the name of its pod."""
    return text.rpartition("-")[2]
