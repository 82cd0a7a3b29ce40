"""Checks for everything that runs need, with fixes for what is missing: `riseml doctor`.

A check is a function with a title. It examines one thing and returns the outcome. A
check never ends another one: an error in it becomes its own finding. Only when a gate
fails, such as the answer of the API server, the remaining checks are skipped.

This package contains the checks of the machine, and the functions that engines build
their checks from. It lies below the engines and knows none of them: each engine
provides its checks (`riseml.engines.open.engine_checks`).
"""

from collections.abc import Iterable, Iterator

from riseml.doctor.findings import FAILED, OK, SKIPPED, WARNING, Check, Finding

__all__ = ["FAILED", "OK", "SKIPPED", "WARNING", "Check", "Finding", "run"]


def run(checks: Iterable[Check]) -> Iterator[Finding]:
    """Run checks one after another, and yield their findings."""
    failure = ""
    for check in checks:
        if failure:
            yield Finding(check.title, SKIPPED, f"not tried: {failure}")
            continue
        finding = check.run()
        if check.is_gate and finding.result == FAILED:
            failure = finding.detail
        yield finding
