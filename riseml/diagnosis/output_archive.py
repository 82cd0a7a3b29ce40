"""Explanation for a job whose output Argo could not save in its artifact repository."""

import re

from riseml.diagnosis.evidence import Cause, Evidence, Subject, cause

_NO_REPOSITORY = "artifact storage is not configured"
_NOT_SAVED = re.compile(
    r"^wait: Error .*(?:artifact storage is not configured|failed to put)"
)


def failure(_: Evidence, subject: Subject) -> Cause | None:
    """Return why a job's output was not saved, None if its message says nothing like that."""
    message = subject.message
    if not _NOT_SAVED.search(message):
        return None
    problem = "refuses the output of the job"
    if _NO_REPOSITORY in message:
        problem = "does not exist"
    code = f" (exit code {subject.exit_code})" if subject.exit_code is not None else ""
    return cause(
        subject,
        f"its commands have ended{code}, but Argo's artifact repository {problem}",
        [message],
        "An administrator checks the ConfigMap artifact-repositories of the namespace"
        " and the login that it names: docs/cluster/storage.md has an example.",
    )
