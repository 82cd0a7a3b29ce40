"""Explanations for the jobs of a gang, which run their commands only when all have started."""

from itertools import filterfalse

from riseml.dataclass import replace
from riseml.diagnosis.evidence import Cause, Evidence, Subject, cause
from riseml.excerpts import counted
from riseml.status import JobStatus, State, reason_words

_MOST_NAMED = 5
# State and reason of a job that has started and waits for others.
_WAITS = (State.STARTING, reason_words.GANG)


def gang(evidence: Evidence, subject: Subject) -> Cause:
    """Explain GANG: other jobs of the experiment have not started, or had not in time."""
    if not subject.state.is_terminal:
        return _waiting(subject)
    return cause(
        subject,
        "it timed out waiting for the other jobs of its experiment",
        [subject.message, *evidence.log_end(subject.job)],
        "`riseml status` shows which jobs have not started; `gang_timeout` in riseml.yml sets how long a job waits.",
    )


def with_waiting_peers(explained: Cause, subject: Subject) -> Cause:
    """Return a cause that also says which jobs of the experiment have started and wait for this one."""
    peers = _waiting_peers(subject)
    if not peers or subject.reason == reason_words.GANG:
        return explained
    verb = "has started and waits" if len(peers) == 1 else "have started and wait"
    line = f"{counted(peers, _MOST_NAMED)} {verb} for it"
    return replace(explained, evidence=(*explained.evidence, line))


def _waiting(subject: Subject) -> Cause:
    missing = []
    for job in filterfalse(_has_started, subject.experiment_jobs):
        missing.append(f"{job.id} is {job.state} {job.reason}".rstrip())
    explanation = "it has started, and waits for the other jobs of its experiment"
    advice = "None of its commands has run. `riseml why` on the experiment explains what the others wait for."
    return cause(subject, explanation, missing or [subject.message], advice)


def _waiting_peers(subject: Subject) -> list[str]:
    if subject.state is not State.PENDING:
        return []
    return [
        job.id for job in subject.experiment_jobs if (job.state, job.reason) == _WAITS
    ]


def _has_started(job: JobStatus) -> bool:
    return job.state is State.RUNNING or job.reason == reason_words.GANG
