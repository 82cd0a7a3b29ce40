"""Outcome of a run, as a sentence and as an exit status."""

from collections.abc import Sequence

from riseml.cli import clock, text
from riseml.cli.statuses import is_set, message, single_experiment
from riseml.status import ExperimentStatus, SetStatus, State

# Distinct from the statuses of errors (1 to 4), and from those of signals (above 128)
_EXIT_STATUS = {State.FINISHED: 0, State.FAILED: 100, State.KILLED: 103}
_MAX_NAMES = 5


def exit_status(statuses: Sequence[SetStatus | ExperimentStatus]) -> int:
    """Return 100 if any failed, else 103 if any was killed, else 0."""
    states = {status.state for status in statuses}
    # A failure matters more than an experiment that was killed.
    for state in (State.FAILED, State.KILLED):
        if state in states:
            return _EXIT_STATUS[state]
    return 0


def failed(status: SetStatus | ExperimentStatus) -> list[str]:
    """Return the ids of the experiments that failed."""
    experiments = status.experiments if isinstance(status, SetStatus) else (status,)
    return [
        experiment.id for experiment in experiments if experiment.state is State.FAILED
    ]


def describe(status: SetStatus | ExperimentStatus) -> str:
    """Return one sentence, with the cause of a failure."""
    sentence = f"Set {status.id}" if is_set(status) else f"Experiment {status.id}"
    sentence += f" {status.state}"
    duration = text.duration(status.started, status.finished, clock.now())
    if duration != "-":
        sentence += f" after {duration}"
    if isinstance(status, SetStatus) and status.is_set:
        return f"{sentence}{_counts(status)}."
    return f"{sentence}{_cause(status)}."


def _counts(status: SetStatus) -> str:
    counts = text.counts(status.counts)
    if not counts:
        return ""
    failures = failed(status)
    if not failures:
        return f": {counts}"
    names = ", ".join(failures[:_MAX_NAMES])
    if len(failures) > _MAX_NAMES:
        names += ", ..."
    return f": {counts} ({names})"


def _cause(status: SetStatus | ExperimentStatus) -> str:
    experiment = single_experiment(status) or ExperimentStatus(status.id)
    killed = message(status) or message(experiment)
    if status.state is State.KILLED and killed:
        return f" ({killed})"
    if status.state is not State.FAILED:
        return ""
    details = [experiment.guilty]
    if experiment.exit_code is not None:
        details.append(f"exit code {experiment.exit_code}")
    sentence = experiment.message or status.message or status.reason
    details.append(sentence.rstrip("."))
    # The message may only repeat the exit code.
    distinct = dict.fromkeys(filter(None, details))
    return f" ({', '.join(distinct)})" if distinct else ""
