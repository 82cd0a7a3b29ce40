"""States in tables: a symbol, the name, a colour."""

from riseml.cli.terminal import Mode, Terminal
from riseml.status import ExperimentStatus, State

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


def experiment(experiment: ExperimentStatus, terminal: Terminal) -> str:
    """Return the text of an experiment's state: EARLY if its search has stopped it."""
    if experiment.is_early:
        return _early(terminal)
    return state(experiment.state, terminal)


def _early(terminal: Terminal) -> str:
    return _FORMATS[terminal.mode].format("EARLY", SYMBOLS[State.FINISHED])


def coloured(value: State, terminal: Terminal) -> str:
    """Return the text of a state in its colour, outside of a table."""
    return terminal.paint(state(value, terminal).strip(), COLOURS[value])


def styles(terminal: Terminal) -> dict[str, str]:
    """Return the colour for the text of each state."""
    colours = {state(value, terminal): colour for value, colour in COLOURS.items()}
    return {**colours, _early(terminal): COLOURS[State.FINISHED]}


def branch(terminal: Terminal, *, last: bool) -> str:
    """Return the prefix of an experiment below its set."""
    return _BRANCHES[terminal.mode][last]


def best(terminal: Terminal) -> str:
    """Return the mark of the best experiment."""
    return _MARKS[terminal.mode]
