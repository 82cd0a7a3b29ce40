"""Comparison of results: same, refused by name, or different."""

from collections.abc import Mapping

from tests.comparison.case import Case, Verdict
from tests.comparison.results import Result


def verdict(argo: Result, local: Result) -> Verdict:
    """Tell whether the local engine does what Argo does."""
    if "refused" in local:
        return "same" if "refused" in argo else "refused"
    return "same" if local == argo else "different"


def unexpected(
    cases: Mapping[str, Case], argo: Mapping[str, Result], local: Mapping[str, Result]
) -> dict[str, str]:
    """Return the cases whose verdict is not the stated one, with what differs."""
    wrong = {}
    for name, case in cases.items():
        actual = verdict(argo[name], local[name])
        if actual != case.verdict:
            difference = describe(argo[name], local[name])
            wrong[name] = f"{actual}, not {case.verdict}: {difference}"
    return wrong


def counts(
    cases: Mapping[str, Case], argo: Mapping[str, Result], local: Mapping[str, Result]
) -> dict[Verdict, int]:
    """Return how many cases have each verdict."""
    totals: dict[Verdict, int] = {"same": 0, "refused": 0, "different": 0}
    for name in cases:
        totals[verdict(argo[name], local[name])] += 1
    return totals


def describe(argo: Result, local: Result) -> str:
    """Return what differs between two results, a line for each field."""
    lines = []
    for key in sorted({*argo, *local} - {"nodes"}):
        if argo.get(key) != local.get(key):
            lines.append(f"{key}: Argo {argo.get(key)!r}, here {local.get(key)!r}")
    argo_nodes, local_nodes = argo.get("nodes", {}), local.get("nodes", {})
    for name in sorted({*argo_nodes, *local_nodes}):
        node, other = argo_nodes.get(name, {}), local_nodes.get(name, {})
        for key in sorted({*node, *other}):
            if node.get(key) != other.get(key):
                lines.append(
                    f"node {name!r} {key}: Argo {node.get(key)!r}, here {other.get(key)!r}"
                )
    return "\n  ".join(lines)
