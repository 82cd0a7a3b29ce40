"""Label selectors, as far as a deletion of pods needs them."""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from riseml.engines.local.interpreter.events import GRACE_SECONDS

WORKFLOW: Final = "workflows.argoproj.io/workflow"
"""The label that Argo puts on every pod of a Workflow."""

_SELECTOR_FLAGS: Final = ("--selector", "-l")
_FLAGS_WITHOUT_EFFECT: Final = ("--wait", "--ignore-not-found", "--now")
_POD_KINDS: Final = (["pod"], ["pods"])

# A key, an equals sign and a value, as Kubernetes permits them in labels.
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
    """Which pods `kubectl delete` deletes, and their grace period in seconds."""

    selector: dict[str, str]
    grace: float


def deletion_of_flags(flags: Sequence[str]) -> Deletion:
    """Read the flags of `kubectl delete`: `pods`, a selector and a grace period.

    Raises:
        ValueError: there are other flags, or not exactly one selector.
    """
    kinds: list[str] = []
    selectors: list[str] = []
    graces: list[float] = []
    remaining = iter(flags)
    for flag in remaining:
        name, equals, value = flag.partition("=")
        if name in _SELECTOR_FLAGS:
            # The selector is the next argument unless it follows an equals sign.
            if not equals:
                value = next(remaining, "")
            selectors.append(value)
        elif name == "--grace-period" and value.isdecimal():
            graces.append(float(value))
        elif name not in _FLAGS_WITHOUT_EFFECT:
            kinds.append(flag)
    if kinds not in _POD_KINDS or len(selectors) != 1:
        raise ValueError(
            f"{' '.join(flags)!r} is more than pods, one selector and a grace period"
        )
    # The first grace period counts.
    graces.append(GRACE_SECONDS)
    return Deletion(parse(selectors[0]), graces[0])
