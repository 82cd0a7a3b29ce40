"""Findings of checks, as lines of a terminal and as records."""

from typing import TYPE_CHECKING, TypedDict

from riseml.cli.table import clean

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


class FindingRecord(TypedDict):
    """Result of a check."""

    check: str
    """Its title."""
    result: str
    """ok, warning, failed or skipped."""
    detail: str
    fix: str
    """What to do; empty if nothing is to be done."""


def text(finding: "Finding", screen: "Terminal") -> str:
    """Return the line of a check, and a second one with the fix if there is one."""
    sign = _SIGNS[screen.mode][finding.result]
    mark = screen.paint(sign, _COLOURS[finding.result])
    lines = f"{mark} {finding.title.ljust(_TITLE_WIDTH)} {clean(finding.detail)}\n"
    if finding.fix:
        lines += f"  {screen.arrow} {clean(finding.fix)}\n"
    return lines


def record(finding: "Finding") -> FindingRecord:
    """Return a finding as data."""
    return {
        "check": finding.title,
        "result": finding.result,
        "detail": finding.detail,
        "fix": finding.fix,
    }
