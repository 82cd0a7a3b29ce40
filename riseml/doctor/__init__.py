"""Whether all that runs need is there, and what to do where it is not: `riseml doctor`.

Each check is a function with a title that looks at one thing and returns what it found. Checks never end each other: an
error in one is its finding. Only where a gate fails, such as the answer of the API server, the rest is not tried.
"""

from collections.abc import Iterable, Iterator

from riseml.doctor.findings import FAILED, OK, SKIPPED, WARNING, Check, Finding

__all__ = ["FAILED", "OK", "SKIPPED", "WARNING", "Check", "Finding", "run"]


def run(checks: Iterable[Check]) -> Iterator[Finding]:
    """Yield what checks find."""
    ended = ""
    for check in checks:
        if ended:
            yield Finding(check.title, SKIPPED, f"not tried: {ended}")
            continue
        finding = check.find()
        if check.is_gate and finding.result == FAILED:
            ended = finding.found
        yield finding
