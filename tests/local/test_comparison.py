"""Recordings of Argo: the local engine runs, or refuses by name, the same Workflows."""

import pytest

from tests.comparison import local
from tests.comparison.cases import FAMILIES
from tests.comparison.record import recorded
from tests.comparison.verdict import counts, unexpected
from tests.local.conftest import Lab

pytestmark = pytest.mark.timeout(400)

COUNTS = {
    "control": {"same": 91, "refused": 28, "different": 0},
    "parameters": {"same": 76, "refused": 9, "different": 0},
    "pods": {"same": 71, "refused": 15, "different": 5},
    "refusals": {"same": 11, "refused": 33, "different": 0},
}


@pytest.mark.parametrize("family", FAMILIES)
def test_results_are_those_of_argo(lab: Lab, family: str) -> None:
    cases = FAMILIES[family]
    argo = recorded(family)
    assert argo.keys() == cases.keys()
    results = local.run(lab.engine, cases)
    wrong = unexpected(cases, argo, results)
    assert not wrong, "\n".join(f"{name}: {wrong[name]}" for name in wrong)
    assert counts(cases, argo, results) == COUNTS[family]


def test_every_difference_has_an_explanation() -> None:
    for cases in FAMILIES.values():
        for name, case in cases.items():
            assert case.verdict == "same" or case.reason, name
