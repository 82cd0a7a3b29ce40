"""Tables of expressions recorded on Argo: the interpreter yields, or refuses, the same."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from riseml.engines.local.interpreter.validate import check
from riseml.errors import UnsupportedError
from tests.comparison.case import Data
from tests.comparison.expressions import TABLES
from tests.comparison.record import recorded
from tests.comparison.results import Result, of_document, refusal
from tests.unit.simulator import simulate

# The local engine runs nothing but deletions as hooks.
DELETION = {
    "name": "delete",
    "resource": {"action": "delete", "flags": ["pods", "--selector", "none=none"]},
}
COUNTS = {
    "hooks": {"same": 86, "refused": 14},
    "conditions": {"same": 63, "refused": 6},
}


def local_result(document: Data) -> Result:
    copied = copy.deepcopy(document)
    copied["metadata"]["name"] = "w"
    copied["spec"]["templates"].append(DELETION)
    (task,) = copied["spec"]["templates"][0]["dag"]["tasks"]
    for hook in task.get("hooks", {}).values():
        hook["template"] = "delete"
    try:
        check(copied)
    except UnsupportedError as error:
        return refusal(str(error))
    return of_document(simulate(copied, {}))


def hook_outcome(result: Result) -> Any:
    """Return the outcome of a hook, whose error is that of its task on this engine."""
    for node in result.get("nodes", {}).values():
        if node["phase"] == "Error":
            return node.get("message", "")
    return TABLES["hooks"].outcome(result)


OUTCOMES: dict[str, Callable[[Result], Any]] = {
    "hooks": hook_outcome,
    "conditions": TABLES["conditions"].outcome,
}


@pytest.mark.parametrize("family", TABLES)
def test_expressions_yield_what_they_yield_on_argo(family: str) -> None:
    argo = recorded(family)
    assert [*argo] == sorted(TABLES[family].texts)
    counts = {"same": 0, "refused": 0}
    for text, expected in argo.items():
        result = local_result(TABLES[family].document(text))
        actual = OUTCOMES[family](result)
        # The words of an error are each engine's own.
        is_error = isinstance(expected, str) and isinstance(actual, str)
        is_same = is_error or actual is expected
        assert is_same or "refused" in result, f"{text}: {actual!r}, not {expected!r}"
        counts["same" if is_same else "refused"] += 1
    assert counts == COUNTS[family]
