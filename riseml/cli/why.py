"""`riseml why`."""

from typing import TYPE_CHECKING

from riseml.cli import options, output, symbols, terminal
from riseml.cli.table import clean
from riseml.client.client import Client

if TYPE_CHECKING:
    from riseml.cli.terminal import Terminal
    from riseml.diagnosis import Cause

_MAX_IDS = 6


def command(
    id: options.OneId = None, output_format: options.OutputFormat = "table"
) -> None:
    """Explain why a run is waiting or failed.

    The explanation quotes Kubernetes or the last lines of the log, and suggests a fix.

    Examples:
      riseml why
      riseml why 14.3
    """
    causes = Client().why(id)
    if output_format in {"json", "yaml"}:
        output.data([_record(cause) for cause in causes], output_format)
    elif output_format == "name":
        output.lines(cause.kind for cause in causes)
    elif output_format == "csv":
        rows = []
        for cause in causes:
            details = [str(cause.state), cause.kind, cause.explanation]
            rows += [[subject, *details] for subject in cause.ids]
        output.csv(["ID", "STATE", "CAUSE", "WHAT"], rows)
    else:
        screen = terminal.stdout()
        output.write("\n".join(_text(cause, screen) for cause in causes))


def _text(cause: "Cause", screen: "Terminal") -> str:
    """Return the lines about one cause: explanation, evidence, fix."""
    subject = ", ".join(cause.ids[:_MAX_IDS])
    hidden = len(cause.ids) - _MAX_IDS
    if hidden > 0:
        subject += f" and {hidden} more"
    state = symbols.coloured(cause.state, screen)
    lines = [f"{subject} {state}: {clean(cause.explanation)}"]
    lines += [f"  | {clean(line)}" for line in cause.evidence]
    lines += [f"  {screen.arrow} {clean(line)}" for line in cause.fix]
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
