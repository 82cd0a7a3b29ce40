"""Jobs that are held: they have failed, and are kept until they are released or their time is over.

The run script says so in a file of the experiment's output folder, which also releases
the job when it is removed: `<attempt> <exit code> <time of the failure> <end of the hold>`.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from riseml import labels
from riseml.dataclass import dataclass, replace
from riseml.status import document as doc
from riseml.status import reason_words
from riseml.status.document import Node
from riseml.status.values import ExperimentStatus, JobStatus, SetStatus, State

PREFIX = "held."
"""What the name of the file in `.riseml` has before that of the job."""

_LINE = re.compile(r"(\d{1,9}) (\d{1,3}) (\d{1,11}) (\d{1,11})\n")
_HELD_STATES = frozenset({State.PENDING, State.STARTING, State.RUNNING})


@dataclass(frozen=True)
class Hold:
    """What the file of a held job says; `attempt` counts from 0."""

    attempt: int
    exit_code: int
    until: datetime


def read(text: str) -> Hold | None:
    """Return what a file says, None for an incomplete one."""
    match = _LINE.fullmatch(text)
    if match is None:
        return None
    attempt, exit_code, _, until = map(int, match.groups())
    return Hold(attempt, exit_code, datetime.fromtimestamp(until, UTC))


def was_held(node: Node) -> bool:
    """Return whether a job that has ended was held before, for any time."""
    return _output(node) != ""


def is_timeout(node: Node) -> bool:
    """Return whether a job that has ended was held because its lines took too long."""
    return _output(node).endswith(" timeout")


def _output(node: Node) -> str:
    """Return the time of the failure and its cause, as the run script has written them."""
    return doc.parameters(node.get("outputs")).get(labels.HELD, "")


def may_be_held(experiment: ExperimentStatus) -> bool:
    """Return whether files may say that jobs of an experiment are held."""
    if experiment.state.is_terminal:
        return False
    return any(job.holds for job in experiment.jobs)


def with_holds(
    experiment: ExperimentStatus, holds: Mapping[str, Hold]
) -> ExperimentStatus:
    """Return an experiment with those of its jobs held whose names have a hold."""
    if not holds:
        return experiment
    jobs = []
    for job in experiment.jobs:
        hold = holds.get(job.id.removeprefix(f"{experiment.id}."))
        jobs.append(_with_hold(job, hold) if hold else job)
    for job in jobs:
        if job.held_until is not None:
            return replace(
                experiment,
                state=State.RUNNING,
                reason=job.reason,
                message=job.message,
                exit_code=job.exit_code,
                guilty=job.id,
                held_until=job.held_until,
                jobs=tuple(jobs),
            )
    return experiment


def with_mark(run: SetStatus, experiments: Sequence[ExperimentStatus]) -> SetStatus:
    """Return a running run with the reason HELD if an experiment of it has that."""
    ids = [part.id for part in experiments if part.held_until is not None]
    if not ids or run.state is not State.RUNNING:
        return run
    message = "it has failed, and is held"
    if run.is_set:
        have = (
            "has failed, and is held" if len(ids) == 1 else "have failed, and are held"
        )
        message = f"{len(ids)} of its experiments {have}"
    return replace(run, reason=reason_words.HELD, message=message)


def _with_hold(job: JobStatus, hold: Hold) -> JobStatus:
    # The file of an attempt that was ended by force remains.
    is_current = job.attempt == hold.attempt and job.reason != "RETRY"
    if job.state not in _HELD_STATES or not is_current:
        return job
    return replace(
        job,
        state=State.RUNNING,
        reason=reason_words.HELD,
        message=f"failed with exit code {hold.exit_code}",
        exit_code=hold.exit_code,
        held_until=hold.until,
    )
