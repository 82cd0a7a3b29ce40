"""The page of a report in Chromium: all plots have their lines, also for odd values."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Chrome

from riseml.metrics.curves import Point
from riseml.plan import Metric
from riseml.report import page
from riseml.report.content import Choice, build
from riseml.status import ExperimentStatus, SetStatus, State
from tests.browser.conftest import Page

# Without a GPU, a plot takes long on a loaded machine.
pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

START = datetime(2018, 1, 31, 10, 20, 30, tzinfo=UTC)
CHOICE = Choice("accuracy", is_certain=True)
# The color of lines of experiments without a value, as Chromium reports it.
GRAY = 0


def experiment(sub: int, parameters: dict[str, Any], result: Any) -> ExperimentStatus:
    return ExperimentStatus(
        id=f"5.{sub}",
        sub=sub,
        state=State.FINISHED,
        parameters=parameters,
        result=result,
        started=START,
        finished=START + timedelta(seconds=60),
    )


def show(
    driver: Chrome, folder: Path, *rows: tuple[dict[str, Any], Any], curves: Any = None
) -> Page:
    """Open a report about experiments with these parameters and results."""
    experiments = tuple(
        experiment(sub, parameters, result)
        for sub, (parameters, result) in enumerate(rows, 1)
    )
    run = SetStatus(
        id="5",
        project="toaster",
        number=5,
        is_set=True,
        state=State.FINISHED,
        started=START,
        finished=START,
        config="project: toaster",
        metrics=(Metric("accuracy", "max"),),
        experiments=experiments,
    )
    file = folder / "report.html"
    content = build([run], curves or {}, CHOICE, START)
    file.write_text(page.render(content, START), "utf-8")
    opened = Page(driver, file)
    assert opened.errors() == []
    return opened


def lines(opened: Page) -> list[list[float]]:
    """Return the positions of each dimension of the parallel coordinates, as Plotly has decoded them."""
    script = """
        const [trace] = document.getElementById("parallel")._fullData;
        return trace.dimensions.map(dimension => Array.from(dimension.values));
    """
    return [list(map(float, values)) for values in opened.run(script)]


def colored_pixels(opened: Page) -> int:
    """Return how many pixels of the parallel coordinates have lines on them."""
    script = """
        const [canvas] = document.querySelectorAll("#parallel canvas.gl-canvas-context");
        const copy = document.createElement("canvas");
        copy.width = canvas.width;
        copy.height = canvas.height;
        Plotly.redraw("parallel");
        const context = copy.getContext("2d");
        context.drawImage(canvas, 0, 0);
        const {data} = context.getImageData(0, 0, copy.width, copy.height);
        let count = 0;
        for (let index = 3; index < data.length; index += 4) if (data[index]) count += 1;
        return count;
    """
    return int(opened.run(script))


def test_all_plots_have_their_lines_and_nothing_is_loaded(
    driver: Chrome, tmp_path: Path
) -> None:
    line = [Point(step, START.timestamp() + step, 1 / step) for step in (1, 2, 4)]
    rows = [
        ({"lr": f"1e-{sub % 4}", "opt": "adam"}, {"accuracy": sub}) for sub in range(12)
    ]
    curves = {f"5.{sub}": {"loss": line} for sub in range(1, 13)}
    opened = show(driver, tmp_path, *rows, curves=curves)
    script = """
        return [...document.querySelectorAll(".js-plotly-plot")].map(plot =>
            [plot.id, plot._fullData[0].type, plot._fullData.length])
    """
    assert opened.run(script) == [
        ["parallel", "parcoords", 1],
        ["scatter-0", "scatter", 1],
        ["importance", "bar", 1],
        ["curve-0", "scatter", 12],
    ]
    assert colored_pixels(opened) > 1000
    paths = "return document.querySelectorAll('#curve-0 .scatterlayer .js-line').length"
    assert opened.run(paths) == 12
    # Plotly's button that uploads data is not there.
    buttons = "return [...document.querySelectorAll('.modebar-btn')].map(button => button.dataset.title)"
    titles = opened.run(buttons)
    assert any("Download" in title for title in titles)
    assert not any("Share" in title or "Cloud" in title for title in titles)
    assert opened.requests() == []
    webgl = "return document.querySelectorAll('canvas.gl-canvas-context').length"
    assert opened.run(webgl) <= 5


def test_curves_over_time_have_seconds_since_the_start(
    driver: Chrome, tmp_path: Path
) -> None:
    timed = [Point(step, START.timestamp() + 10 * step, step) for step in (1, 2)]
    untimed = [Point(1, None, 5), Point(2, None, 6)]
    curves = {"5.1": {"loss": timed}, "5.2": {"loss": untimed}}
    rows = [({"a": "1"}, {"accuracy": 1}), ({"a": "2"}, {"accuracy": 2})]
    opened = show(driver, tmp_path, *rows, curves=curves)
    horizontal = """
        return document.getElementById("curve-0")._fullData.map(trace =>
            [trace.name, trace._length, Array.from(trace.x || [trace.x0, trace.dx])])
    """
    assert opened.run(horizontal) == [["5.1", 2, [1, 1]], ["5.2", 2, [1, 1]]]
    opened.run("document.querySelector('input[value=time]').click()")
    assert opened.run(horizontal) == [["5.1", 2, [10, 20]]]
    opened.run("document.querySelector('input[name=vertical]').click()")
    scale = "return document.getElementById('curve-0')._fullLayout.yaxis.type"
    assert opened.run(scale) == "log"
    assert opened.errors() == []


@pytest.mark.parametrize("odd", [None, "NaN", "Infinity", float("nan"), float("inf")])
def test_a_missing_value_is_a_gray_line_to_its_own_position(
    driver: Chrome, tmp_path: Path, odd: Any
) -> None:
    rows = [
        ({"a": "1"}, {"accuracy": 0.0}),
        ({"a": "2"}, {"accuracy": odd}),
        ({"a": "3"}, {"accuracy": 1.0}),
    ]
    opened = show(driver, tmp_path, *rows)
    assert lines(opened) == [[1, 2, 3], pytest.approx([0, -0.12, 1])]
    colors = (
        "return Array.from(document.getElementById('parallel')._fullData[0].line.color)"
    )
    assert opened.run(colors) == pytest.approx([0.05, GRAY, 1])
    ticks = "return [...document.querySelectorAll('#parallel .axis text')].map(tick => tick.textContent)"
    assert "\u2013" in opened.run(ticks)
    assert colored_pixels(opened) > 500
    points = "return document.getElementById('scatter-0')._fullData[0]._length"
    assert opened.run(points) == 2


@pytest.mark.parametrize(
    ("values", "positions", "texts"),
    [
        (["adam", "sgd", "adam"], [0, 1, 0], ["adam", "sgd"]),
        (["true", "false", "true"], [1, 0, 1], ["false", "true"]),
        (["1", "b", "2.5"], [0, 2, 1], ["1", "2.5", "b"]),
        (["1e-4", "1e-2", "1"], [-4, -2, 0], ["0.0001", "0.01", "1"]),
        (["<b>x</b>", "", "y&z"], [1, 0, 2], ["", "<b>x</b>", "y&z"]),
    ],
)
def test_texts_booleans_and_decades_have_their_own_ticks(
    driver: Chrome,
    tmp_path: Path,
    values: list[str],
    positions: list[float],
    texts: list[str],
) -> None:
    rows = [({"<i>": value}, {"accuracy": index}) for index, value in enumerate(values)]
    opened = show(driver, tmp_path, *rows)
    assert lines(opened)[0] == pytest.approx(positions)
    axis = """
        const [axis] = document.querySelectorAll("#parallel .axis");
        return [...axis.querySelectorAll(".tick text")].map(tick => tick.textContent);
    """
    assert sorted(opened.run(axis)) == sorted(texts)
    labels = "return [...document.querySelectorAll('#parallel .axis-title')].map(title => title.textContent)"
    assert opened.run(labels) == ["<i>", "accuracy"]
    assert colored_pixels(opened) > 500


def test_the_table_sorts_numbers_as_numbers_and_missing_ones_last(
    driver: Chrome, tmp_path: Path
) -> None:
    results = [{"accuracy": 9}, None, {"accuracy": 10}, {"accuracy": 2}]
    opened = show(driver, tmp_path, *(({"a": "1"}, result) for result in results))
    first_column = "return [...document.querySelectorAll('.results tbody tr')].map(row => row.cells[0].textContent)"
    click = "document.querySelectorAll('.results th button')[3].click()"
    opened.run(click)
    assert opened.run(first_column) == ["5.4", "5.1", "5.3 \u2605", "5.2"]
    opened.run(click)
    assert opened.run(first_column) == ["5.3 \u2605", "5.1", "5.4", "5.2"]


def test_dark_mode_changes_the_plots(driver: Chrome, tmp_path: Path) -> None:
    rows = [({"a": "1"}, {"accuracy": 1}), ({"a": "2"}, {"accuracy": 2})]
    opened = show(driver, tmp_path, *rows)
    color = "return document.getElementById('scatter-0')._fullLayout.font.color"
    assert opened.run(color) == "#222"
    opened.prefer_dark()
    opened.wait(color, "#ddd")
    assert opened.errors() == []
