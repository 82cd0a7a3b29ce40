"""What a report says about runs."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from riseml.metrics.curves import Point
from riseml.plan import GitState, Marks, Metric, Resources
from riseml.report import page
from riseml.report.content import Cell, Choice, Content, build
from riseml.status import ExperimentStatus, JobStatus, SetStatus, State

START = datetime(2018, 1, 31, 10, 20, 30, tzinfo=UTC)
NOW = START + timedelta(hours=1)
ACCURACY = Choice("accuracy", is_certain=True)


def experiment(
    sub: int, lr: str, result: Any, state: State = State.FINISHED
) -> ExperimentStatus:
    job = JobStatus(
        f"5.{sub}.train",
        "train",
        resources=Resources(Decimal(2), 1_000_000_000, 1),
    )
    return ExperimentStatus(
        id=f"5.{sub}",
        sub=sub,
        state=state,
        parameters={"lr": lr, "opt": "adam"},
        result=result,
        started=START,
        finished=START + timedelta(seconds=sub * 60),
        jobs=(job,),
    )


EXPERIMENTS = (
    experiment(1, "0.1", {"accuracy": 0.5, "loss": 2.0}),
    experiment(2, "0.01", {"accuracy": "NaN"}),
    experiment(3, "0.001", {"accuracy": 0.75, "loss": 0.25}),
    experiment(4, "1", None, State.FAILED),
)
RUN = SetStatus(
    id="5",
    project="toaster",
    number=5,
    is_set=True,
    state=State.FAILED,
    started=START,
    finished=START + timedelta(seconds=240),
    image="python:3.12",
    run=("python fit.py",),
    revision="abc123",
    config="project: toaster\n",
    git=GitState("f00", "main", dirty=True),
    marks=Marks("baseline", ("paper", "v2"), "with dropout"),
    metrics=(Metric("accuracy", "max"), Metric("loss", "min")),
    experiments=EXPERIMENTS,
)


def content(choice: Choice = ACCURACY, **curves: list[Point]) -> Content:
    by_id = {"5.1": curves, "5.3": curves}
    return build([RUN], by_id, choice, NOW)


def test_the_table_has_parameters_and_results_as_they_are() -> None:
    table = content()
    assert [heading.text for heading in table.headings] == [
        "ID", "STATE", "lr", "opt", "accuracy", "loss", "DURATION", "ATTEMPTS",
    ]  # fmt: skip
    assert [heading.is_number for heading in table.headings[2:6]] == [
        True, False, True, True,
    ]  # fmt: skip
    first = table.rows[0].cells
    assert first[2:5] == (Cell("0.1", 0.1), Cell("adam"), Cell("0.5", 0.5))
    assert first[6:] == (Cell("0:01:00", 60.0), Cell("1", 1.0))
    # NaN is no number, and sorts as a missing value.
    assert table.rows[1].cells[4] == Cell("\u2013")
    assert table.rows[3].state == "FAILED"


def test_only_a_metric_that_the_user_chose_has_a_best_experiment() -> None:
    assert [row.is_best for row in content().rows] == [False, False, True, False]
    smallest = Choice("loss", largest=False, is_certain=True)
    assert [row.is_best for row in content(smallest).rows] == [
        False,
        False,
        True,
        False,
    ]
    assert not any(row.is_best for row in content(Choice()).rows)


def test_figures_show_what_varies_and_notes_what_is_missing() -> None:
    report = content()
    assert set(report.figures) == {"parallel", "scatter-0"}
    (trace,) = report.figures["parallel"]["data"]
    assert [dimension["label"] for dimension in trace["dimensions"]] == [
        "lr", "loss", "accuracy",
    ]  # fmt: skip
    assert report.notes == (
        (
            "2 of 4 experiments have no finite value of accuracy."
            " Their lines are gray and end at \u2013."
        ),
        "The importance of parameters needs at least 10 experiments with a result.",
    )


def test_curves_are_those_with_two_points_named_metrics_first() -> None:
    line = [Point(1, None, 0.5), Point(2, None, 0.25)]
    report = content(other=line, loss=line, accuracy=line[:1])
    assert [curve["name"] for curve in report.curves] == ["loss", "other"]
    assert [trace["name"] for trace in report.curves[0]["curves"]] == ["5.1", "5.3"]


def test_too_many_metrics_are_counted() -> None:
    line = [Point(1, None, 0.5), Point(2, None, 0.25)]
    curves = {f"m{index}": line for index in range(30)}
    report = build([RUN], {"5.1": curves}, ACCURACY, NOW)
    assert len(report.curves) == 24
    assert "Of 30 metrics with curves, the first 24 are shown." in report.notes


def test_experiments_that_their_search_stopped_are_early() -> None:
    stopped = replace(EXPERIMENTS[0], reason="EARLY")
    run = replace(RUN, experiments=(stopped, *EXPERIMENTS[1:]))
    report = build([run], {}, Choice(), NOW)
    states = [row.cells[1].text for row in report.rows]
    assert states == ["EARLY", "FINISHED", "FINISHED", "FAILED"]
    facts = dict(report.runs[0].facts)
    assert facts["Experiments"] == "1 EARLY, 2 FINISHED, 1 FAILED"


def test_facts_of_a_run() -> None:
    (run,) = content().runs
    facts = dict(run.facts)
    assert run.title == "Set 5 of toaster"
    assert facts["Experiments"] == "3 FINISHED, 1 FAILED"
    assert facts["Duration"] == "0:04:00"
    assert facts["Resources"] == "train: 2 CPUs, 1G, 1 GPUs"
    assert facts["Commands"] == "python fit.py"
    assert facts["Commit"] == "main f00, with changes"
    assert (facts["Name"], facts["Tags"], facts["Note"]) == (
        "baseline",
        "paper, v2",
        "with dropout",
    )
    assert "Framework" not in facts
    assert run.config == "project: toaster\n"


def test_a_run_without_results_or_parameters_has_a_table_only() -> None:
    single = replace(EXPERIMENTS[3], id="6", sub=None, parameters={}, started=None)
    run = replace(RUN, id="6", is_set=False, experiments=(single,), metrics=())
    report = build([run], {}, Choice(), NOW)
    assert (report.figures, report.curves, report.notes) == ({}, (), ())
    assert report.rows[0].cells[2] == Cell("\u2013")


def test_a_page_contains_no_text_as_html() -> None:
    odd = "</script><img src=x onerror=alert(1)>"
    run = replace(
        RUN,
        project=odd,
        config=odd,
        experiments=(
            replace(EXPERIMENTS[0], parameters={odd: "1"}, result={odd: 0.1}),
            replace(EXPERIMENTS[2], parameters={odd: odd}, result={odd: 0.2}),
        ),
        metrics=(),
    )
    report = build([run], {"5.1": {odd: [Point(1, 1.0, 0.5)] * 2}}, Choice(), NOW)
    html = page.render(report, NOW)
    assert odd not in html
    assert "<img" not in html
    assert page.MARK in html[:1000]
    assert "default-src 'none'" in html[:1000]
