"""States in tables: a symbol, the name, a colour."""

from riseml.cli.terminal import Mode, Terminal
from riseml.status import ExperimentStatus, JobStatus, SetStatus, State, reason_words

SYMBOLS = {
    State.CREATED: "○",
    State.BUILDING: "●",
    State.PENDING: "●",
    State.STARTING: "●",
    State.RUNNING: "●",
    State.FINISHED: "✓",
    State.FAILED: "✗",
    State.KILLED: "✗",
}
# CREATED has none: nothing has happened to the experiment yet.
COLOURS = {
    State.CREATED: "",
    State.BUILDING: "yellow",
    State.PENDING: "yellow",
    State.STARTING: "yellow",
    State.RUNNING: "green",
    State.FINISHED: "green",
    State.FAILED: "red",
    State.KILLED: "red",
}
_FORMATS: dict[Mode, str] = {"unicode": "{1} {0}", "ascii": "  {0}", "plain": "{0}"}
# Before every experiment of a set but the last, and before the last
_BRANCHES: dict[Mode, tuple[str, str]] = {
    "unicode": ("├╴", "╰╴"),
    "ascii": ("  ", "  "),
    "plain": ("", ""),
}
_MARKS: dict[Mode, str] = {"unicode": "★", "ascii": "*", "plain": "best"}


def state(state: State, terminal: Terminal) -> str:
    """Return the text of a state, with a blank for a symbol that cannot be shown."""
    return _FORMATS[terminal.mode].format(state, SYMBOLS[state])


def run(run: SetStatus, terminal: Terminal) -> str:
    """Return the text of a run's state: HELD or IDLE if its only experiment is that."""
    if is_held(run) and not run.is_set:
        return _held(terminal)
    if is_idle(run) and not run.is_set:
        return _idle(terminal)
    if _waits_suspended(run):
        return _suspended(terminal)
    return state(run.state, terminal)


def experiment(experiment: ExperimentStatus, terminal: Terminal) -> str:
    """Return the text of an experiment's state: EARLY if its search has stopped it.

    It is HELD if a job of it is kept that has failed, and IDLE if one does not use its GPUs.
    """
    if experiment.is_early:
        return _early(terminal)
    if experiment.held_until is not None:
        return _held(terminal)
    if is_idle(experiment):
        return _idle(terminal)
    if _waits_suspended(experiment):
        return _suspended(terminal)
    return state(experiment.state, terminal)


def job(job: JobStatus, terminal: Terminal) -> str:
    """Return the text of a job's state: HELD if it is kept although it has failed.

    It is IDLE if it does not use its GPUs.
    """
    if is_idle(job):
        return _idle(terminal)
    return _held(terminal) if job.held_until else state(job.state, terminal)


def held(terminal: Terminal) -> str:
    """Return the text of what is held in its colour, outside of a table."""
    return terminal.paint(_held(terminal).strip(), COLOURS[State.FAILED])


def idle(terminal: Terminal) -> str:
    """Return the text of what is idle in its colour, outside of a table."""
    return terminal.paint(_idle(terminal).strip(), COLOURS[State.PENDING])


def suspended(terminal: Terminal) -> str:
    """Return the text of what is suspended in its colour, outside of a table."""
    return terminal.paint(_suspended(terminal).strip(), COLOURS[State.PENDING])


def _held(terminal: Terminal) -> str:
    return _FORMATS[terminal.mode].format("HELD", SYMBOLS[State.FAILED])


def is_idle(status: SetStatus | ExperimentStatus | JobStatus) -> bool:
    """Return whether it runs without using its GPUs."""
    return status.state is State.RUNNING and status.reason == reason_words.IDLE


def is_held(run: SetStatus) -> bool:
    """Return whether an experiment of a running run is held after a failure."""
    return run.state is State.RUNNING and run.reason == reason_words.HELD


def is_suspended(status: SetStatus | ExperimentStatus) -> bool:
    """Return whether Argo starts nothing more of it until it is resumed."""
    return status.reason == reason_words.SUSPENDED


def _waits_suspended(status: SetStatus | ExperimentStatus) -> bool:
    """Return whether it waits for nothing else; what runs is shown as running."""
    is_waiting = status.state in {State.CREATED, State.PENDING}
    return is_waiting and is_suspended(status)


def _suspended(terminal: Terminal) -> str:
    symbol = SYMBOLS[State.PENDING]
    return _FORMATS[terminal.mode].format("SUSPENDED", symbol)


def _idle(terminal: Terminal) -> str:
    return _FORMATS[terminal.mode].format("IDLE", SYMBOLS[State.RUNNING])


def _early(terminal: Terminal) -> str:
    return _FORMATS[terminal.mode].format("EARLY", SYMBOLS[State.FINISHED])


def coloured(value: State, terminal: Terminal) -> str:
    """Return the text of a state in its colour, outside of a table."""
    return terminal.paint(state(value, terminal).strip(), COLOURS[value])


def styles(terminal: Terminal) -> dict[str, str]:
    """Return the colour for the text of each state."""
    colours = {state(value, terminal): colour for value, colour in COLOURS.items()}
    return {
        **colours,
        _early(terminal): COLOURS[State.FINISHED],
        _held(terminal): COLOURS[State.FAILED],
        _idle(terminal): COLOURS[State.PENDING],
        _suspended(terminal): COLOURS[State.PENDING],
    }


def branch(terminal: Terminal, *, last: bool) -> str:
    """Return the prefix of an experiment below its set."""
    return _BRANCHES[terminal.mode][last]


def best(terminal: Terminal) -> str:
    """Return the mark of the best experiment."""
    return _MARKS[terminal.mode]
