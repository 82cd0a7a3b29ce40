"""`riseml why`."""

from typing import TYPE_CHECKING

from riseml.cli import options, output, symbols, terminal
from riseml.cli.table import clean
from riseml.client.client import Client

if TYPE_CHECKING:
    from riseml.cli.terminal import Terminal
    from riseml.diagnosis import Cause

# Ids on one line
_NAMED = 6


def command(id: options.OneId = None, form: options.OutputFormat = "table") -> None:
    """Explain why a run is waiting or failed.

    With the words of Kubernetes, or the last lines of the log, that say so.

    Examples:
      riseml why
      riseml why 14.3
    """
    causes = Client().why(id)
    if form in {"json", "yaml"}:
        output.data([_record(cause) for cause in causes], form)
        return
    if form == "name":
        output.lines(cause.kind for cause in causes)
        return
    if form == "csv":
        output.csv(
            ["ID", "STATE", "CAUSE", "WHAT"],
            [
                [each, str(c.state), c.kind, c.explanation]
                for c in causes
                for each in c.ids
            ],
        )
        return
    shown = terminal.stdout()
    output.write("\n".join(_text(cause, shown) for cause in causes))


def _text(cause: "Cause", shown: "Terminal") -> str:
    """Return the lines about one cause: what it is, what says so, what helps."""
    state = shown.paint(
        symbols.state(cause.state, shown).strip(), symbols.COLOURS[cause.state]
    )
    more = f" and {len(cause.ids) - _NAMED} more" if len(cause.ids) > _NAMED else ""
    lines = [
        f"{', '.join(cause.ids[:_NAMED])}{more} {state}: {clean(cause.explanation)}"
    ]
    lines += [f"  | {clean(line)}" for line in cause.evidence]
    lines += [f"  {'→' if shown.unicode else '->'} {clean(line)}" for line in cause.fix]
    return "".join(f"{line}\n" for line in lines)


def _record(cause: "Cause") -> dict[str, object]:
    return {
        "ids": list(cause.ids),
        "state": str(cause.state),
        "cause": cause.kind,
        "what": cause.explanation,
        "evidence": list(cause.evidence),
        "fix": list(cause.fix),
    }
