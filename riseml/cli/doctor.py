"""`riseml doctor`."""

from typing import TYPE_CHECKING

import typer

from riseml.cli import options, output, terminal
from riseml.cli.table import clean
from riseml.client.client import Client

if TYPE_CHECKING:
    from riseml.cli.terminal import Terminal
    from riseml.doctor import Finding

_SIGNS = {
    "ok": ("✓", "+", "green"),
    "warning": ("!", "!", "yellow"),
    "failed": ("✗", "x", "red"),
    "skipped": ("-", "-", "dim"),
}
# Cells of the titles' column
_WIDTH = 44


def command(form: options.Reading = "table") -> None:
    """Check this machine or the cluster for everything runs need.

    On this machine, or on the cluster that runs go to (`riseml config show`); administrators see more of it.
    The exit status is 1 where something fails, 3 where the cluster does not answer.

    Examples:
      riseml doctor
      riseml doctor -o json
    """
    findings = []
    shown = terminal.output()
    for finding in Client().doctor():
        findings.append(finding)
        if form == "wide" or (form == "table" and finding.result != "skipped"):
            output.write(_text(finding, shown))
    if form in {"json", "yaml"}:
        output.data(
            [
                {"check": f.title, "result": f.result, "detail": f.detail, "fix": f.fix}
                for f in findings
            ],
            form,
        )
    elif form == "name":
        output.lines(
            finding.title for finding in findings if finding.result == "failed"
        )
    elif form == "csv":
        output.csv(
            ["CHECK", "RESULT", "DETAIL", "FIX"],
            [[f.title, f.result, f.detail, f.fix] for f in findings],
        )
    failed = [finding for finding in findings if finding.result == "failed"]
    if form in {"table", "wide"}:
        skipped = sum(finding.result == "skipped" for finding in findings)
        untried = (
            f", {skipped} not tried (`-o wide` says why)"
            if skipped and form == "table"
            else ""
        )
        output.note(f"{len(findings)} checks, {len(failed) or 'none'} failed{untried}.")
    if failed:
        raise typer.Exit(
            3
            if any(finding.title == "The API server answers" for finding in failed)
            else 1
        )


def _text(finding: "Finding", shown: "Terminal") -> str:
    """Return the line about a check, and one about what to do."""
    sign, plain, colour = _SIGNS[finding.result]
    mark = shown.paint(sign if shown.unicode else plain, colour)
    text = f"{mark} {finding.title.ljust(_WIDTH)} {clean(finding.detail)}\n"
    return text + (
        f"  {'→' if shown.unicode else '->'} {clean(finding.fix)}\n"
        if finding.fix
        else ""
    )
