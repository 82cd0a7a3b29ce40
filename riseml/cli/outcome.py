"""Outcome of a run, as a sentence and as an exit status."""

from collections.abc import Iterator, Sequence
from itertools import filterfalse

from riseml import phrases
from riseml.cli import clock
from riseml.cli.statuses import experiment_of, is_set, message
from riseml.excerpts import first_of
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
    duration = phrases.duration(status.started, status.finished, clock.now())
    if duration != "-":
        sentence += f" after {duration}"
    if is_set(status):
        return f"{sentence}{_counts(status)}."
    return f"{sentence}{_cause(status)}."


def _counts(status: SetStatus) -> str:
    failures = failed(status)
    names = f" ({first_of(failures, _MAX_NAMES)})" if failures else ""
    counts = [
        phrases.counts({state: count}) + (names if state == State.FAILED else "")
        for state, count in status.counts.items()
        if count
    ]
    return f": {', '.join(counts)}" if counts else ""


def _cause(status: SetStatus | ExperimentStatus) -> str:
    experiment = experiment_of(status)
    details: list[str] = []
    if status.state is State.KILLED:
        details.append(message(status) or message(experiment))
    elif status.state is State.FAILED:
        details += _details(status, experiment)
    # The message may only repeat the exit code.
    distinct = ", ".join(dict.fromkeys(filter(None, details)))
    return f" ({distinct})" if distinct else ""


def _details(
    status: SetStatus | ExperimentStatus, experiment: ExperimentStatus
) -> Iterator[str]:
    """Yield what is known about a failure; texts may be empty."""
    sentence = (experiment.message or status.message or status.reason).rstrip(".")
    facts = [experiment.guilty or ""]
    if experiment.exit_code is not None:
        facts.append(f"exit code {experiment.exit_code}")
    # The sentence may begin with the job, and name the exit code.
    yield from filterfalse(sentence.__contains__, facts)
    yield sentence
