"""Label selectors, as far as a deletion of pods needs them."""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

WORKFLOW: Final = "workflows.argoproj.io/workflow"
"""The label that Argo puts on every pod of a Workflow."""

_TERM: Final = re.compile(
    r"\s*([A-Za-z0-9][A-Za-z0-9._/-]*)\s*==?\s*([A-Za-z0-9._-]*)\s*"
)


def parse(selector: str) -> dict[str, str]:
    """Read `key=value` terms joined by commas; all must hold.

    Raises:
        ValueError: it is anything else.
    """
    terms = [_TERM.fullmatch(term) for term in selector.split(",")]
    if not all(terms):
        raise ValueError(
            f"the selector {selector!r} is more than key=value terms joined by commas"
        )
    return {term[1]: term[2] for term in terms if term}


class Deletion(NamedTuple):
    """Which pods `kubectl delete` ends, and how many seconds they have after SIGTERM (None: as many as ever)."""

    selector: dict[str, str]
    grace: float | None = None


def of_flags(flags: Sequence[str]) -> Deletion:
    """Read the flags of `kubectl delete`: `pods`, a selector, a grace period, and what does not matter here.

    Raises:
        ValueError: they say anything else.
    """
    kinds, selectors, graces = [], [], []
    rest = iter(flags)
    for flag in rest:
        name, equals, value = flag.partition("=")
        if name in ("--selector", "-l"):
            selectors.append(value if equals else next(rest, ""))
        elif name == "--grace-period" and value.isdecimal():
            graces.append(float(value))
        elif name in ("--wait", "--ignore-not-found") or flag == "--now":
            continue
        else:
            kinds.append(flag)
    if kinds not in (["pod"], ["pods"]) or len(selectors) != 1:
        raise ValueError(
            f"{' '.join(flags)!r} is more than pods, one selector and a grace period"
        )
    return Deletion(parse(selectors[0]), next(iter(graces), None))
