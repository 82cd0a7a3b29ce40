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
    """Return the labels that `key=value` terms joined by commas require.

    Raises:
        ValueError: the selector has any other form.
    """
    labels = {}
    for term in selector.split(","):
        match = _TERM.fullmatch(term)
        if match is None:
            raise ValueError(
                f"the selector {selector!r} is more than key=value terms joined by commas"
            )
        labels[match[1]] = match[2]
    return labels


class Deletion(NamedTuple):
    """Which pods `kubectl delete` deletes, and their grace period in seconds (None: their own)."""

    selector: dict[str, str]
    grace: float | None = None


def deletion_of_flags(flags: Sequence[str]) -> Deletion:
    """Read the flags of `kubectl delete`: `pods`, a selector, a grace period, and ones without effect here.

    Raises:
        ValueError: there are other flags, or not exactly one selector.
    """
    kinds = []
    selectors = []
    grace = None
    remaining = iter(flags)
    for flag in remaining:
        name, equals, value = flag.partition("=")
        if name in ("--selector", "-l"):
            selectors.append(value if equals else next(remaining, ""))
        elif name == "--grace-period" and value.isdecimal():
            if grace is None:
                grace = float(value)
        elif name not in ("--wait", "--ignore-not-found") and flag != "--now":
            kinds.append(flag)
    if kinds not in (["pod"], ["pods"]) or len(selectors) != 1:
        raise ValueError(
            f"{' '.join(flags)!r} is more than pods, one selector and a grace period"
        )
    return Deletion(parse(selectors[0]), grace)
