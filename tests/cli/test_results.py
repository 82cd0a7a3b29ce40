"""`riseml results` with many metrics, names of other columns, and notes."""

import csv
import io
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from riseml.status import SetStatus, State
from tests.cli.conftest import Riseml
from tests.cli.fake_engine import FakeEngine, grid

MANY = {f"val/ap_class_{number:03d}": number / 1000 for number in range(299)}


def reported(*results: dict[str, Any], **values: Any) -> SetStatus:
    run = grid(15, [State.FINISHED] * len(results))
    experiments = [
        replace(experiment, result=result, **values)
        for experiment, result in zip(run.experiments, results, strict=True)
    ]
    return replace(run, experiments=tuple(experiments))


@pytest.mark.parametrize("width", [40, 80, 120])
def test_a_table_of_many_results_fits_and_says_what_it_leaves_out(
    width: int, engine: FakeEngine, riseml: Riseml, screen: Callable[..., None]
) -> None:
    engine.runs = [reported({**MANY, "map50": 0.61}, {**MANY, "map50": 0.73})]
    screen(width, colour=False)
    result = riseml("results", "15", "--sort", "map50")
    table = result.out.splitlines()
    assert max(map(len, table)) <= width
    titles = table[0].split()
    # The best one has a mark before its id, and states have a symbol.
    assert "map50" in titles
    assert [("0.73" in line, "0.61" in line) for line in table[1:]] == [
        (True, False),
        (False, True),
    ]
    visible = len([title for title in titles if title.startswith("val/ap_class_")]) + 1
    assert (
        f"{300 - visible} of 300 results do not fit; `riseml results 15 -o csv`"
        in result.err
    )
    # A name that is cut would be that of many.
    assert "…" not in table[0]


def test_titles_that_are_not_the_names_of_results_fit_as_well(
    engine: FakeEngine, riseml: Riseml, screen: Callable[..., None]
) -> None:
    engine.runs = [reported({"id": "Infinity", "state": "Infinity", "lr": 1, **MANY})]
    screen(80, colour=False)
    table = riseml("results", "15").out
    assert "…" not in table
    assert "result.state" in table


def test_formats_for_programs_are_complete(engine: FakeEngine, riseml: Riseml) -> None:
    engine.runs = [reported(MANY, {"val/ap_class_000": "NaN"})]
    (first, second) = csv.DictReader(
        io.StringIO(riseml("results", "15", "-o", "csv").out)
    )
    assert {name: float(first[name]) for name in MANY} == MANY
    assert second["val/ap_class_000"] == "NaN"
    data = json.loads(riseml("results", "15", "-o", "json").out)
    assert data["experiments"][0]["result"] == MANY
    assert data["metrics"] == list(MANY)


def test_results_with_names_of_other_columns_have_titles_of_their_own(
    engine: FakeEngine, riseml: Riseml
) -> None:
    engine.runs = [reported({"lr": 7, "id": 8, "state": 9, "loss": 1})]
    (row,) = csv.DictReader(io.StringIO(riseml("results", "15", "-o", "csv").out))
    assert row == {
        **row,
        "id": "15.1",
        "state": "FINISHED",
        "result.id": "8",
        "result.lr": "7",
        "result.state": "9",
        "loss": "1",
    }


def test_notes_are_below_the_table_and_in_the_status(
    engine: FakeEngine, riseml: Riseml
) -> None:
    engine.runs = [reported({}, {}, notes=tuple("abcd"))]
    assert riseml("results", "15").err.splitlines()[-6:] == [
        "15.1: a",
        "15.1: b",
        "15.1: c",
        "15.1: d",
        "15.2: a",
        "and 3 more; `riseml status 15` shows them",
    ]
    assert "15.2: d" in riseml("status", "15").out
    assert "Note: d" in riseml("status", "15.1").out
    data = json.loads(riseml("status", "15", "-o", "json").out)
    assert data["experiments"][1]["notes"] == list("abcd")
