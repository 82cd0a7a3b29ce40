"""How a run ended: in words, and as an exit status."""

from collections.abc import Sequence

from riseml.cli import clock, text
from riseml.status import ExperimentStatus, SetStatus, State

EXIT_STATUS = {State.FINISHED: 0, State.FAILED: 100, State.KILLED: 103}
# Failed experiments named at most
_NAMED = 5


def exit_status(statuses: Sequence[SetStatus | ExperimentStatus]) -> int:
    """Return 100 where any failed, else 103 where any was killed, else 0."""
    codes = [EXIT_STATUS.get(status.state, 0) for status in statuses]
    return 100 if 100 in codes else max(codes, default=0)  # noqa: PLR2004


def describe(status: SetStatus | ExperimentStatus) -> str:
    """Return one sentence, and for what failed where to look."""
    is_set = isinstance(status, SetStatus) and status.is_set
    noun = "Set" if is_set else "Experiment"
    lasted = text.duration(status.started, status.finished, clock.now())
    sentence = f"{noun} {status.id} {status.state}" + (
        "" if lasted == "-" else f" after {lasted}"
    )
    details = (
        _counts(status)
        if isinstance(status, SetStatus) and status.is_set
        else _cause(status)
    )
    return f"{sentence}{details}."


def _counts(status: SetStatus) -> str:
    counted = [
        f"{count} {state.lower()}" for state, count in status.counts.items() if count
    ]
    failed = [each.id for each in status.experiments if each.state is State.FAILED]
    named = ", ".join(failed[:_NAMED]) + (", ..." if len(failed) > _NAMED else "")
    return (
        f": {', '.join(counted)}" + (f" ({named})" if failed else "") if counted else ""
    )


def _cause(status: SetStatus | ExperimentStatus) -> str:
    experiment = (
        status.experiments[0]
        if isinstance(status, SetStatus) and status.experiments
        else status
    )
    if status.state is not State.FAILED:
        return ""
    guilty = experiment.guilty if isinstance(experiment, ExperimentStatus) else None
    exit_code = (
        experiment.exit_code if isinstance(experiment, ExperimentStatus) else None
    )
    parts = [
        guilty or "",
        "" if exit_code is None else f"exit code {exit_code}",
        experiment.message or status.reason,
    ]
    told = ", ".join(
        dict.fromkeys(part.rstrip(".") for part in parts if part)
    )  # the code may be all there is to say
    return f" ({told})" if told else ""
