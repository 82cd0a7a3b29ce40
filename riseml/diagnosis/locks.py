"""Explanations for jobs that wait for a mutex or a semaphore of Argo."""

from collections.abc import Iterator
from itertools import chain

from riseml.diagnosis.evidence import Cause, Evidence, Object, Subject, cause


def lock(evidence: Evidence, subject: Subject) -> Cause:
    """Explain LOCK: another run builds the same image, or holds the lock."""
    message = subject.message or evidence.run.message
    holders = chain.from_iterable(map(_holders, evidence.documents))
    lines = [message, *map("held by {}".format, holders)]
    # Builds of the same image exclude each other with a mutex of this name.
    is_build = "riseml-build" in message or "build" in subject.id
    explanation = "it is waiting for a lock"
    advice = "It continues by itself when the lock is released."
    if is_build:
        explanation = "the same image is being built for another run"
    elif "ConfigMap" in message:
        explanation = "it is waiting for a semaphore of Argo, which lets only so many run at a time"
        advice = f"{advice} An administrator sets the number in the ConfigMap that the text above names."
    return cause(subject, explanation, lines, advice)


def _holders(document: Object) -> Iterator[str]:
    synchronization = document.get("status", {}).get("synchronization", {})
    for mutex in synchronization.get("mutex", {}).get("waiting", ()):
        if mutex.get("holder"):
            yield str(mutex["holder"])
    for semaphore in synchronization.get("semaphore", {}).get("waiting", ()):
        yield from map(str, semaphore.get("holders", ()))
