"""All cases, by family."""

from typing import Final

from tests.comparison import control, parameters, pods, refusals
from tests.comparison.case import Case

FAMILIES: Final[dict[str, dict[str, Case]]] = {
    "control": control.CASES,
    "parameters": parameters.CASES,
    "pods": pods.CASES,
    "refusals": refusals.CASES,
}
