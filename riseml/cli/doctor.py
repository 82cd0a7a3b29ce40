"""Command `riseml doctor`."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, TypedDict

import typer

from riseml.cli import formats, options, output, terminal
from riseml.cli.documents import Document
from riseml.cli.table import clean
from riseml.client.client import Client
from riseml.engines import Repairable
from riseml.errors import InvalidInputError

if TYPE_CHECKING:
    from riseml.cli.terminal import Mode, Terminal
    from riseml.doctor import Finding

_SIGNS: "dict[Mode, dict[str, str]]" = {
    "unicode": {"ok": "✓", "warning": "!", "failed": "✗", "skipped": "-"},
    "ascii": {"ok": "+", "warning": "!", "failed": "x", "skipped": "-"},
    "plain": {
        "ok": "ok:",
        "warning": "warning:",
        "failed": "failed:",
        "skipped": "skipped:",
    },
}
_COLOURS = {"ok": "green", "warning": "yellow", "failed": "red", "skipped": "dim"}
_TITLE_WIDTH = 44
# Without it nothing on the cluster can be checked, which has a status of its own.
_CONNECTION_CHECK = "The API server answers"


class FindingRecord(TypedDict):
    """Result of a check."""

    check: str
    """Its title."""
    result: str
    """ok, warning, failed or skipped."""
    detail: str
    fix: str
    """What to do; empty if nothing is to be done."""


DOCUMENTS = {"doctor": Document(list[FindingRecord])}


def command(
    output_format: options.OutputFormat = "table",
    repair: Annotated[
        bool,
        typer.Option(
            "--repair", help="Rebuild a damaged or lost list of runs on this machine."
        ),
    ] = False,
) -> None:
    """Check this machine or the cluster for everything runs need.

    It checks the cluster if runs go there (`riseml config show`), and says how to fix
    what is missing. Administrators see more of the cluster. The exit status is 1 if a
    check fails, and 3 if the cluster does not answer. With --repair, a damaged list of
    runs is kept aside, and a new one is made from the run.json files of the outputs.

    Examples:
      riseml doctor
      riseml doctor -o json
      riseml doctor --repair
    """
    if repair:
        _repair()
        return
    if formats.is_for_people(output_format):
        findings = _print_findings(output_format)
    else:
        findings = list(Client().doctor())
        _write_data(findings, output_format)
    failures = _failures(findings)
    if failures:
        raise typer.Exit(3 if _CONNECTION_CHECK in failures else 1)


def _repair() -> None:
    engine = Client().engine
    if not isinstance(engine, Repairable):
        raise InvalidInputError(
            f"the engine {engine.name} keeps no list of runs on this machine",
            "Leave out --repair.",
        )
    for sentence in engine.repair() or ["Nothing is wrong with the list of runs."]:
        output.say(sentence)


def _failures(findings: "list[Finding]") -> list[str]:
    """Return the titles of failed checks."""
    return [finding.title for finding in findings if finding.result == "failed"]


def _print_findings(output_format: str) -> "list[Finding]":
    """Print each finding as soon as its check is done; some checks take seconds."""
    screen = terminal.stdout()
    findings = []
    for finding in Client().doctor():
        findings.append(finding)
        # Only administrators can run all checks, so `table` leaves out skipped ones.
        if output_format == "wide" or finding.result != "skipped":
            output.write(_text(finding, screen))
    output.note(_summary(findings, output_format))
    return findings


def _text(finding: "Finding", screen: "Terminal") -> str:
    """Return the line of a check, and a second one with the fix if there is one."""
    sign = _SIGNS[screen.mode][finding.result]
    mark = screen.paint(sign, _COLOURS[finding.result])
    text = f"{mark} {finding.title.ljust(_TITLE_WIDTH)} {clean(finding.detail)}\n"
    if finding.fix:
        text += f"  {screen.arrow} {clean(finding.fix)}\n"
    return text


def _summary(findings: "list[Finding]", output_format: str) -> str:
    results = [finding.result for finding in findings]
    failed = results.count("failed") or "none"
    summary = f"{len(findings)} checks, {failed} failed"
    skipped = results.count("skipped")
    if skipped and output_format == "table":
        summary += f", {skipped} skipped (`-o wide` says why)"
    return f"{summary}."


def _write_data(findings: "list[Finding]", output_format: str) -> None:
    data = formats.of_records(list(map(_record, findings)), FindingRecord, "check")
    # The failed checks are what a script wants to name.
    data = replace(data, names=_failures(findings))
    formats.write_data(data, output_format)


def _record(finding: "Finding") -> FindingRecord:
    return {
        "check": finding.title,
        "result": finding.result,
        "detail": finding.detail,
        "fix": finding.fix,
    }
