"""Filters of results: which rows fulfil them, and what is said about those that cannot be read."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from riseml.client.result_fields import FIELDS, ResultColumns, Row
from riseml.client.result_filter import parse
from riseml.errors import InvalidInputError
from riseml.plan import Marks
from riseml.status import ExperimentStatus, SetStatus, State

START = datetime(2018, 1, 31, 10, tzinfo=UTC)
COLUMNS = ResultColumns(
    ["lr", "opt", "both", "val loss"], ["acc", "both", "id", "note", "val/loss", "état"]
)


def _row(**result: Any) -> Row:
    experiment = ExperimentStatus(
        "7.1",
        1,
        State.FAILED,
        {"lr": "1e-2", "opt": "Adam", "both": "1", "val loss": "x"},
        result or None,
        started=START,
        finished=START + timedelta(seconds=90),
        reason="OOM",
    )
    return experiment, SetStatus(
        "7", project="digits", user="paul", marks=Marks("best", ("a", "b"), "note it")
    )


ROW = _row(
    **{"acc": 0.5, "both": 2, "id": 9, "note": "", "val/loss": "NaN", "état": True}
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("acc > 0.4", True),
        ("acc>0.5", False),
        ("acc >= 0.5", True),
        ("acc <= .5", True),
        ("acc < 5e-1", False),
        ("acc = 0.50", True),
        ("acc == 0.5", True),
        ("acc != 0.5", False),
        ("lr = 0.01", True),
        ("lr < 0.1 and acc > 0.4", True),
        ("lr > 0.1 and acc > 0.4", False),
        ("lr > 0.1 or acc > 0.4", True),
        ("not lr > 0.1", True),
        ("not (lr < 0.1 and acc > 0.4)", False),
        # `and` binds more tightly than `or`.
        ("acc > 0.4 or acc > 9 and acc > 9", True),
        ("(acc > 0.4 or acc > 9) and acc > 9", False),
        ("NOT acc > 9 AND lr = 0.01", True),
        ("opt = Adam", True),
        ("opt = adam", False),
        ("opt != adam", True),
        ("opt ~ ada", True),
        ("opt ~ sgd", False),
        ("opt < Beta", True),
        # Texts and numbers have no order.
        ("opt < 5", False),
        ("opt > 5", False),
        ("opt = 5", False),
        ("opt != 5", True),
        ("acc > high", False),
        ("'val loss' = x", True),
        ('"val loss" = "x"', True),
        (r'"val loss" = "x\"y"', False),
        ("val/loss > 0", False),
        ("val/loss != 0", True),
        ("val/loss = NaN", False),
        ("état = true", True),
        ("état = 1", True),
        # A result comes before a parameter, and a field before both.
        ("both = 2", True),
        ("result.both = 2", True),
        ("param.both = 1", True),
        ("id = 7.1", True),
        ("id = '7.1'", True),
        ("result.id = 9", True),
        ("state = failed", True),
        ("state = FAILED and reason = OOM", True),
        ("state != FINISHED", True),
        ("project = digits and user = paul and run = 7", True),
        ("duration > 60 and duration <= 90", True),
        ("started > 2018-01-31T09:00:00+00:00", True),
        ("finished < 2018-01-31T10:01:00Z", False),
        ("acc", True),
        ("not acc", False),
        ("result.note", False),
        ("tags ~ b and note ~ it and name = best", True),
        ("acc and opt", True),
    ],
)
def test_a_row_fulfils_a_filter(text: str, expected: bool) -> None:
    assert parse(text, COLUMNS)(ROW) is expected


@pytest.mark.parametrize(
    "text",
    [
        "acc > 0",
        "acc <= 9",
        "acc = 1",
        "acc != 1",
        "acc ~ a",
        "acc",
        "created < 2030-01-01",
    ],
)
def test_a_missing_value_fulfils_no_comparison(text: str) -> None:
    assert parse(text, COLUMNS)(_row()) is False
    assert parse(f"not {text}", COLUMNS)(_row()) is True


@pytest.mark.parametrize(
    ("text", "start", "length", "message"),
    [
        ("", 0, 1, "a name is missing here"),
        ("acc >", 5, 1, "a value is missing here"),
        ("acc > and", 6, 3, "a value is missing here"),
        ("and acc", 0, 3, "a name is missing here"),
        ("acc > 1 lr < 2", 8, 2, "'and' or 'or' is missing before this"),
        ("acc > 1 and", 11, 1, "a name is missing here"),
        ("(acc > 1", 8, 1, "a ')' is missing here"),
        ("acc > 1)", 7, 1, "'and' or 'or' is missing before this"),
        ("acc > 1 & lr", 8, 1, "'and' or 'or' is missing before this"),
        ("acc > 'x", 6, 1, "a value is missing here"),
        ("acc => 1", 5, 1, "a value is missing here"),
        ("accuracy > 1", 0, 8, "no result or parameter is called 'accuracy'"),
        (
            "lr < 1 or  'no such' > 1",
            11,
            9,
            "no result or parameter is called 'no such'",
        ),
        ("0.9 < acc", 0, 3, "no result or parameter is called '0.9'"),
        ("((" * 60, 50, 1, "it is nested too deeply"),
    ],
)
def test_an_error_points_at_its_place(
    text: str, start: int, length: int, message: str
) -> None:
    with pytest.raises(InvalidInputError, match="the filter cannot be read") as error:
        parse(text, COLUMNS)
    assert message in str(error.value)
    first, second, *_ = error.value.advice.splitlines()
    assert first == f"  {text}"
    assert second == "  " + " " * start + "^" * length


def test_a_wrong_time_is_an_error_before_any_row() -> None:
    with pytest.raises(InvalidInputError, match="'soon' is not a point in time"):
        parse("started > soon", COLUMNS)


def test_nothing_is_executed() -> None:
    with pytest.raises(InvalidInputError):
        parse("__import__('os').system('true')", COLUMNS)


def test_all_fields_have_a_value_or_none() -> None:
    values = {name: value(ROW) for name, value in FIELDS.items()}
    assert values == {
        "id": "7.1",
        "state": "FAILED",
        "run": "7",
        "project": "digits",
        "user": "paul",
        "name": "best",
        "tags": "a b",
        "note": "note it",
        "reason": "OOM",
        "created": None,
        "started": START,
        "finished": START + timedelta(seconds=90),
        "duration": 90.0,
    }


def test_titles_are_unique() -> None:
    columns = ResultColumns(
        ["a", "param.b", "result.c", "b", *FIELDS],
        ["a", "b", "c", "param.a", *FIELDS, ""],
    )
    everything = (*columns.fields, *columns.parameters, *columns.results)
    titles = [column.title for column in everything]
    assert len(set(titles)) == len(titles) == 9 + 3 * len(FIELDS)
    for column in everything:
        assert columns.find(column.title) == column
