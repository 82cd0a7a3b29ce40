"""Results in notebooks: what pandas gets, and an HTML table without foreign tags."""

import sys
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from riseml.client.results import tabulate
from riseml.errors import RiseMLError
from riseml.plan import Metric
from riseml.status import ExperimentStatus, SetStatus, State

NOW = datetime(2018, 1, 31, 10, tzinfo=UTC)


def _run(*results: dict[str, Any] | None, count: int = 0) -> SetStatus:
    experiments = []
    for sub, result in enumerate(results or [{}] * count, 1):
        parameters = {"lr": f"1e-{sub}", "hidden": str(sub), "opt": "<b>"}
        experiments.append(
            ExperimentStatus(
                f"7.{sub}", sub, State.FINISHED, parameters, result, started=NOW
            )
        )
    named = (Metric("acc", "max"),)
    return SetStatus("7", is_set=True, metrics=named, experiments=tuple(experiments))


def test_numbers_and_times_have_their_types() -> None:
    pandas = pytest.importorskip("pandas")
    runs = _run({"acc": 0.5, "n": 1, "ok": True}, {"acc": "NaN", "ok": False}, None)
    names = ["id", "lr", "hidden", "opt", "acc", "n", "ok", "started", "duration"]
    frame = tabulate(runs, columns=names).to_pandas()
    assert list(frame.columns) == names
    assert frame.dtypes["lr"] == "float64"
    assert frame.dtypes["hidden"] == "int64"
    assert frame.dtypes["acc"] == frame.dtypes["n"] == "float64"
    assert str(frame.dtypes["started"]).startswith("datetime64[")
    assert list(frame["id"]) == ["7.1", "7.2", "7.3"]
    assert list(frame["opt"]) == ["<b>"] * 3
    assert frame["acc"].tolist()[0] == 0.5
    assert pandas.isna(frame["acc"][1])
    assert frame["started"][0] == pandas.Timestamp("2018-01-31T10:00Z")


class _Series:
    """The part of pandas.Series that is used, to see what it is given."""

    def __init__(self, values: list[Any], dtype: str = "") -> None:
        self.values, self.dtype = values, dtype

    def replace(self, old: str, new: float) -> "_Series":
        return _Series([new if value == old else value for value in self.values])


def _to_numeric(series: _Series) -> list[float]:
    return [float("nan") if value is None else float(value) for value in series.values]


def test_columns_become_series(monkeypatch: pytest.MonkeyPatch) -> None:
    pandas = SimpleNamespace(
        Series=_Series,
        DataFrame=dict,
        to_numeric=_to_numeric,
        to_datetime=lambda series, utc: (series.values, utc),
    )
    monkeypatch.setitem(sys.modules, "pandas", pandas)
    results = tabulate(
        _run({"acc": 0.5}, None), columns=["id", "lr", "opt", "acc", "started"]
    )
    frame = results.to_pandas()
    assert frame["lr"] == [0.1, 0.01]
    assert frame["acc"][0] == 0.5
    assert frame["started"] == ([NOW, NOW], True)
    # Ids and texts stay what they are.
    assert (frame["id"].values, frame["id"].dtype) == (["7.1", "7.2"], "")
    assert frame["opt"].values == ["<b>", "<b>"]


def test_pandas_may_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(RiseMLError, match="pandas is not installed") as error:
        tabulate(_run({"acc": 1})).to_pandas()
    assert error.value.advice == "Install it with `pip install pandas`."


def test_a_notebook_shows_a_table_with_the_best_row() -> None:
    text = tabulate(_run({"acc": 1, "<i>": "&"}, {"acc": 2}))._repr_html_()
    assert "<th>&lt;i&gt;</th>" in text
    assert "<td>&lt;b&gt;</td>" in text
    assert "<td>&amp;</td>" in text
    assert "<b>" not in text
    first, second = (line for line in text.splitlines() if "<tr" in line)
    assert first.endswith("<td>&amp;</td></tr>")
    assert second.startswith('<tr style="font-weight: bold"><td>7.2</td>')


def test_a_notebook_shows_the_beginning_of_a_long_table() -> None:
    text = tabulate(_run(count=1_000))._repr_html_()
    assert text.count("<tr>") == 101
    assert text.endswith("<p>and 900 more rows</p>")
