"""Table of a set's results: order, the best row, missing values."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from riseml.client.results import number, tabulate
from riseml.errors import InvalidInputError
from riseml.plan import Metric
from riseml.status import ExperimentStatus, SetStatus


def run(*results: dict[str, Any] | None) -> SetStatus:
    cells = (
        ExperimentStatus(f"7.{sub}", sub, parameters={"lr": f"1e-{sub}"}, result=result)
        for sub, result in enumerate(results, 1)
    )
    return SetStatus("7", is_set=True, experiments=tuple(cells))


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("values", "sort", "largest", "order", "best"),
    [
        ([0.5, 0.9, 0.7], "acc", None, [2, 3, 1], 2),
        ([0.5, 0.9, 0.7], "acc", False, [1, 3, 2], 1),
        ([0.5, 0.9, 0.7], "loss", None, [1, 3, 2], 1),
        ([0.5, 0.9, 0.7], "val_loss", None, [1, 3, 2], 1),
        ([0.5, 0.9, 0.7], "glossy", None, [2, 3, 1], 2),
        ([0.5, 0.9, 0.7], "loss", True, [2, 3, 1], 2),
        ([NAN, None, 0.7, "high", 0.8], "acc", None, [5, 3, 1, 2, 4], 5),
        ([0.5, 0.5, 0.5], "acc", None, [1, 2, 3], 1),
        ([INF, -INF, 0], "acc", True, [3, 1, 2], 3),
        ([INF, -INF, 0], "acc", False, [3, 1, 2], 3),
        (["NaN", "-Infinity", 7, "Infinity", 6], "loss", None, [5, 3, 1, 2, 4], 5),
        (["0.5", "0.25"], "acc", None, [1, 2], 1),
        ([True, False], "acc", False, [2, 1], 2),
        ([NAN, None, "x"], "acc", None, [1, 2, 3], None),
        ([[1], {"a": 1}, 10**400], "acc", None, [1, 2, 3], None),
    ],
)
def test_rows_are_sorted_by_a_metric_or_parameter(
    values: list[Any],
    sort: str,
    largest: bool | None,
    order: list[int],
    best: int | None,
) -> None:
    found = tabulate(
        run(*({sort: value} if value is not None else None for value in values)),
        sort=sort,
        largest=largest,
    )
    assert [row.sub for row in found.rows] == order
    assert found.best == (f"7.{best}" if best else None)


def test_no_row_is_best_by_a_metric_that_nobody_chose() -> None:
    found = tabulate(run({"acc": 0.1, "z": 5}, {"acc": 0.9}, None))
    assert [row.sub for row in found.rows] == [1, 2, 3]
    assert (found.metric, found.best) == (None, None)
    assert (found.parameters, found.metrics) == (("lr",), ("acc", "z"))


def test_the_first_metric_with_a_mode_in_the_file_decides_which_row_is_best() -> None:
    results = {"acc": 0.1, "loss": 5, "z": 1}, {"acc": 0.9, "loss": 3}, None
    named = (Metric("z"), Metric("loss", "max"), Metric("acc", "max"))
    found = tabulate(replace(run(*results), metrics=named))
    assert (found.metric, found.best, found.largest) == ("loss", "7.1", True)
    assert found.metrics == ("z", "loss", "acc")
    sorted_by_mode = tabulate(replace(run(*results), metrics=named), sort="loss")
    assert [row.sub for row in sorted_by_mode.rows] == [1, 2, 3]
    least = tabulate(replace(run(*results), metrics=named), sort="loss", largest=False)
    assert least.best == "7.2"


def test_sorting_by_a_parameter_marks_no_row_as_best() -> None:
    found = tabulate(run({"acc": 1}, {"acc": 2}), sort="lr")
    assert ([row.sub for row in found.rows], found.best) == ([2, 1], None)
    assert [
        row.sub
        for row in tabulate(run({"acc": 1}, {"acc": 2}), sort="lr", largest=True).rows
    ] == [1, 2]


def test_a_metric_hides_a_parameter_of_the_same_name() -> None:
    found = tabulate(run({"lr": 2}, {"lr": 9}), sort="lr")
    assert [row.sub for row in found.rows] == [2, 1]


def test_top_keeps_the_first_rows_and_the_best_of_all() -> None:
    found = tabulate(run({"acc": 1}, {"acc": 3}, {"acc": 2}), sort="acc", top=1)
    assert ([row.sub for row in found.rows], found.best) == ([2], "7.2")
    with pytest.raises(InvalidInputError):
        tabulate(run(), top=0)


def test_top_means_the_best_rows_also_without_sort() -> None:
    metrics = (Metric("acc", "max"),)
    several = replace(run({"acc": 1}, {"acc": 3}, {"acc": 2}), metrics=metrics)
    assert [row.sub for row in tabulate(several, top=2).rows] == [2, 3]
    assert [row.sub for row in tabulate(several).rows] == [1, 2, 3]
    # Without a mode, no experiment is the best.
    plain = run({"acc": 1}, {"acc": 3})
    assert [row.sub for row in tabulate(plain, top=1).rows] == [1]


@pytest.mark.parametrize(
    ("results", "advice"),
    [
        (({"acc": 1, "loss": 2}, None), "Reported: acc, loss. Parameters: lr."),
        ((None,), "Nothing has been reported yet. Parameters: lr."),
        ((), "Nothing has been reported yet."),
    ],
)
def test_an_unknown_metric_lists_the_known_ones(
    results: tuple[Any, ...], advice: str
) -> None:
    with pytest.raises(
        InvalidInputError, match="no result or parameter is called 'f1'"
    ) as caught:
        tabulate(run(*results), sort="f1")
    assert caught.value.advice == advice


def test_numbers_are_recognized() -> None:
    assert number(" 1e-3 ") == 0.001
    assert number(None) is number("") is number(NAN) is number([]) is None


def test_a_metric_without_a_name_is_not_the_best() -> None:
    found = tabulate(run({"": 5, "acc": 1}, {"": 6}))
    assert (found.metric, found.best) == (None, None)


def _two_runs(first_mode: str = "", second_mode: str = "") -> list[SetStatus]:
    old = replace(run({"acc": 0.5}, {"acc": 0.9}), metrics=(Metric("acc", first_mode),))
    (single,) = run({"acc": 0.7, "loss": 1}).experiments
    single = replace(single, id="8", sub=None, parameters={"depth": "2"})
    new = SetStatus(
        "8", number=8, experiments=(single,), metrics=(Metric("acc", second_mode),)
    )
    return [old, new]


def test_several_runs_are_one_table() -> None:
    table = tabulate(_two_runs("max", "max"), sort="acc")
    assert [row.id for row in table.rows] == ["7.2", "8", "7.1"]
    assert [run.id for run in table.runs] == ["7", "8", "7"]
    assert (table.id, table.ids, table.best) == ("7 8", ("7", "8"), "7.2")
    assert (table.parameters, table.metrics) == (("depth", "lr"), ("acc", "loss"))
    (depth,) = (column for column in table.columns if column.name == "depth")
    assert table.values(depth) == [None, "2", None]
    # A run that is named twice counts once.
    assert len(tabulate([*_two_runs(), *_two_runs()]).rows) == 3


def test_runs_that_disagree_about_a_mode_have_no_best_row() -> None:
    table = tabulate(_two_runs("max", "min"))
    assert (table.metric, table.best) == (None, None)
    assert tabulate(_two_runs("max", "")).best == "7.2"
    assert tabulate(_two_runs("", "min")).best == "7.1"


def test_a_filter_chooses_rows_and_the_best_of_them() -> None:
    table = tabulate(_two_runs("max", "max"), where="acc < 0.9")
    assert [row.id for row in table.rows] == ["7.1", "8"]
    assert table.best == "8"
    nothing = tabulate(_two_runs("max", "max"), where="acc > 9")
    assert (nothing.rows, nothing.best) == ((), None)


def test_columns_are_chosen_by_name() -> None:
    table = tabulate(_two_runs(), columns=["acc", "id", "run", "param.lr"])
    assert [column.title for column in table.columns] == ["acc", "id", "run", "lr"]
    with pytest.raises(
        InvalidInputError, match="no result or parameter is called 'f1'"
    ):
        tabulate(_two_runs(), columns=["f1"])


def test_rows_are_sorted_by_a_field() -> None:
    times = [datetime(2018, 1, day, tzinfo=UTC) for day in (2, 1)]
    experiments = []
    for row, time in zip(run({}, {}).experiments, times, strict=True):
        experiments.append(replace(row, started=time))
    table = tabulate(SetStatus("7", experiments=tuple(experiments)), sort="started")
    assert [row.sub for row in table.rows] == [2, 1]
