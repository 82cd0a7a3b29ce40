"""docs/cluster/failures.md: each message has the reason that status shows, and the causes that retry it."""

from pathlib import Path
from typing import NamedTuple

import pytest

from riseml.engines.local.interpreter.expressions import expression
from riseml.plan import Retries
from riseml.status import reasons
from tests.unit.plans import compiled, single, template

_PAGE = Path(__file__).parents[3] / "docs/cluster/failures.md"
_CAUSES = ("error", "oom", "preempted", "node-lost")
# Argo's status of a node whose pod has ended with such a message; the others are Failed.
_ERRORS = ("pod deleted",)


class Row(NamedTuple):
    """One line of the table."""

    message: str
    exit_code: str
    reason: str
    causes: frozenset[str]


def _rows() -> list[Row]:
    rows = []
    for line in _PAGE.read_text("utf-8").splitlines():
        if line.startswith("| `"):
            message, code, _, reason, causes = map(
                str.strip, line.strip("| ").split("|")
            )
            names = frozenset(causes.split(", "))
            rows.append(Row(message.strip("`"), code, reason, names))
    return rows


def _is_retried(row: Row, cause: str) -> bool:
    strategy = template(compiled(single(retries=Retries(2, (cause,)))), "train")[
        "retryStrategy"
    ]
    text = strategy["expression"].replace(
        "{{workflow.annotations.riseml.io/killed}}", ""
    )
    scope = {
        "lastRetry.status": "Error" if row.message in _ERRORS else "Failed",
        "lastRetry.exitCode": row.exit_code or "-1",
        "lastRetry.message": row.message,
    }
    return expression(text.replace("{{inputs.parameters.riseml-sub}}", "3"))(scope)


def test_the_table_has_the_messages_of_the_kubelet() -> None:
    assert len(_rows()) == 25


@pytest.mark.parametrize("row", _rows(), ids=lambda row: row.message[:60])
def test_a_message_has_a_reason_and_its_causes(row: Row) -> None:
    code = int(row.exit_code) if row.exit_code else None
    phase = "Error" if row.message in _ERRORS else "Failed"
    assert reasons.failure(phase, row.message, code)[0] == row.reason
    assert {cause for cause in _CAUSES if _is_retried(row, cause)} == row.causes
