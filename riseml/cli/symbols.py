"""States as cells of a table: a symbol, the name, a colour."""

from riseml.cli.terminal import Terminal
from riseml.status import State

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


def state(state: State, terminal: Terminal) -> str:
    """Return the cell of a state; where the symbols cannot be shown, blanks stand for them."""
    return f"{SYMBOLS[state] if terminal.unicode else ' '} {state}"


def styles(terminal: Terminal) -> dict[str, str]:
    """Return the colour of each state's cell."""
    return {state(each, terminal): colour for each, colour in COLOURS.items()}


def branch(terminal: Terminal, *, last: bool) -> str:
    """Return what stands before the id of an experiment below its set."""
    return ("╰╴" if last else "├╴") if terminal.unicode else "  "
