"""The last line of a file of results counts, and lines that are not JSON are named."""

import json
from typing import Any

import pytest

from riseml.metrics import result_file
from riseml.metrics.result_file import Reported, Tail
from riseml.status import ExperimentStatus
from riseml.status.measured import with_reported

ADVICE = "; write lines with json.dumps or riseml.report_result"


def read(text: str, *, has_ended: bool = True) -> Reported:
    return result_file.read(Tail(text.encode()), has_ended=has_ended)


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("", None),
        ('{"a": 1}\n{"b": 2}\n', {"b": 2}),
        ('{"a": 1}\n\n  \n', {"a": 1}),
        ('{"a": 1}', {"a": 1}),
        ("0.25\n", {"result": 0.25}),
        ('"good"\n', {"result": "good"}),
        ("null\n", None),
        ('{"a": 1}\nno\n', {"a": 1}),
        (
            '{"a": NaN, "b": [Infinity, -Infinity, 1e999, -1e999, 1.5]}\n',
            {
                "a": "NaN",
                "b": ["Infinity", "-Infinity", "Infinity", "-Infinity", 1.5],
            },
        ),
    ],
)
def test_the_last_valid_line_counts(text: str, result: Any) -> None:
    assert read(text).result == result


def test_lines_that_are_not_json_are_named() -> None:
    text = '{"a": 1}\n\n{\'loss\': 0.3}\n{"a": 2}\n{"a": \n'
    assert read(text) == Reported(
        {"a": 2},
        (
            f"line 3 of $RESULT_FILE is not JSON: {{'loss': 0.3}}{ADVICE}",
            f'line 5 of $RESULT_FILE is not JSON: {{"a":{ADVICE}',
        ),
    )


def test_many_wrong_lines_are_summed_up() -> None:
    notes = read("no\n" * 10).notes
    assert len(notes) == 4
    assert notes[-1] == "not JSON either: 7 more of its lines, the last of them line 10"


@pytest.mark.parametrize(
    ("torn", "result"),
    [('{"a": 2, "b', 1), ('{"a": {}', 1), ("0.2", 1), ('{"a": 2}', 2)],
)
def test_a_line_that_is_being_written_is_not_wrong(torn: str, result: int) -> None:
    reported = read('{"a": 1}\n' + torn, has_ended=False)
    assert reported == Reported({"a": result})


def test_lines_are_counted_from_the_start_of_the_file() -> None:
    tail = Tail(b'half}\nno\n{"a": 1}\n', bytes_before=700, lines_before=40)
    reported = result_file.read(tail, has_ended=True)
    assert reported == Reported(
        {"a": 1}, (f"line 42 of $RESULT_FILE is not JSON: no{ADVICE}",)
    )


def test_only_more_bytes_can_tell_a_longer_line() -> None:
    line = json.dumps({"text": "x" * 100}).encode()
    tail = Tail(line[50:] + b"\n", bytes_before=50)
    reported = result_file.read(tail, has_ended=True)
    assert reported == Reported()
    assert result_file.lacks_result(tail, reported)
    (note,) = result_file.with_long_line(reported).notes
    assert "longer than 16 MB" in note


def test_a_report_without_a_result_keeps_that_of_the_document() -> None:
    experiment = ExperimentStatus("1", result={"a": 1}, notes=("old",))
    added = with_reported(experiment, Reported(None, ("new",)))
    assert (added.result, added.notes) == ({"a": 1}, ("old", "new"))
    assert with_reported(experiment, Reported({"b": 2})).result == {"b": 2}
