"""`riseml report`."""

import json
import re
from dataclasses import replace
from importlib import resources
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from riseml.client.client import Client
from riseml.plan import GitState, Metric
from riseml.report import page
from riseml.status import State
from tests.cli.conftest import Riseml
from tests.cli.fake_engine import FakeEngine, grid, single

_PLOTLY = page._plotly
RESULTS = {1: {"accuracy": 0.5}, 2: {"accuracy": 0.75}}


@pytest.fixture(autouse=True)
def _runs(engine: FakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine.runs = [
        grid(15, [State.FINISHED, State.FINISHED], RESULTS),
        single(14, State.FINISHED, result={"accuracy": 0.25}),
    ]
    engine.volumes = tmp_path / "volumes"
    for sub in (1, 2):
        file = (
            engine.volumes / f"output/paul/toaster-net/15/{sub}/.riseml/results.jsonl"
        )
        file.parent.mkdir(parents=True)
        lines = [json.dumps({"epoch": epoch, "loss": 1 / epoch}) for epoch in (1, 2)]
        file.write_text("\n".join(lines) + "\n", "utf-8")
    monkeypatch.setattr(page, "_plotly", lambda: "/* Plotly */")


def data_of(path: str) -> dict[str, Any]:
    """Return what the scripts of a page draw."""
    text = Path(path).read_text("utf-8")
    match = re.search(r'id="data">(.*?)</script>', text)
    assert match is not None
    data: dict[str, Any] = json.loads(match[1])
    return data


def test_a_report_is_one_file_with_results_and_curves(riseml: Riseml) -> None:
    result = riseml("report", "15")
    assert (result.status, result.out) == (0, "report-15.html\n")
    text = Path("report-15.html").read_text("utf-8")
    assert "<title>toaster-net 15</title>" in text
    assert re.findall(r"<tr>\s*<td[^>]*>([^<]*)</td>", text) == ["15.1", "15.2"]
    (curve,) = data_of("report-15.html")["curves"]
    assert curve["name"] == "loss"
    assert [trace["name"] for trace in curve["curves"]] == ["15.1", "15.2"]


def test_the_metric_of_the_user_has_a_best_experiment(riseml: Riseml) -> None:
    riseml("report", "15")
    assert "\u2605</td>" not in Path("report-15.html").read_text("utf-8")
    riseml("report", "15", "--metric", "accuracy")
    assert "<td>15.2 \u2605</td>" in re.sub(
        "<td[^>]*>", "<td>", Path("report-15.html").read_text("utf-8")
    )


def test_one_experiment_and_several_runs(riseml: Riseml) -> None:
    assert riseml("report", "15.2", "14", "-o", "both.html").status == 0
    rows = re.findall(
        r"<tr>\s*<td[^>]*>([^<]*)</td>", Path("both.html").read_text("utf-8")
    )
    assert rows == ["15.2", "14"]


def test_a_wrong_metric_names_the_results(riseml: Riseml) -> None:
    result = riseml("report", "15", "--metric", "acuracy")
    assert result.status == 2
    assert "no result is called 'acuracy'\nResults: accuracy.\n" in result.err
    assert not Path("report-15.html").exists()


def test_only_reports_are_replaced(riseml: Riseml) -> None:
    Path("thesis.html").write_text("<html>my thesis</html>")
    result = riseml("report", "15", "-o", "thesis.html")
    assert result.status == 1
    assert "thesis.html exists and is not a report" in result.err
    assert Path("thesis.html").read_text() == "<html>my thesis</html>"
    assert riseml("report", "15", "-o", "new.html").status == 0
    assert riseml("report", "15", "-o", "new.html").status == 0


def test_a_folder_that_does_not_exist_is_an_error(riseml: Riseml) -> None:
    result = riseml("report", "15", "-o", "none/new.html")
    assert result.status == 1
    assert "cannot write none/new.html: No such file or directory" in result.err


def test_without_plotly_the_error_says_how_to_install_it(
    riseml: Riseml, monkeypatch: pytest.MonkeyPatch
) -> None:
    def files(package: str) -> None:
        raise ModuleNotFoundError(package)

    monkeypatch.setattr(page, "_plotly", _PLOTLY)
    monkeypatch.setattr(resources, "files", files)
    result = riseml("report", "15")
    assert "pip install 'riseml2[report]'" in result.err


def test_open_shows_the_page_in_a_browser(
    riseml: Riseml, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = list[str]()

    def open_page(url: str) -> bool:
        opened.append(url)
        return False

    monkeypatch.setattr("webbrowser.open", open_page)
    result = riseml("report", "15", "--open")
    assert opened == [Path("report-15.html").absolute().as_uri()]
    assert "There is no browser here" in result.err


def test_the_code_is_compared_with_the_commit_of_the_user(
    engine: FakeEngine, riseml: Riseml, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("riseml.yml").write_text("project: toaster-net\n")
    committed = SimpleNamespace(objects="objects", tree="f00:")
    monkeypatch.setattr("riseml.project.user_git.committed", lambda *_: committed)
    monkeypatch.setattr("riseml.client.code.repository", lambda *_: Path("store"))
    patches = ["-old\n+<new>\n" + "x" * 300_000]
    monkeypatch.setattr("riseml.client.report.patch_since", lambda *_: patches[0])
    run = replace(engine.runs[0], git=GitState("f00"), revision="abc")
    engine.runs = [run]
    riseml("report", "15")
    text = Path("report-15.html").read_text("utf-8")
    assert "<summary>Changes since the commit</summary>" in text
    assert "-old\n+&lt;new&gt;\nxxx" in text
    assert "... 100012 characters more" in text
    # In the folder of another project, its commit is not known.
    Path("riseml.yml").write_text("project: other-net\n")
    riseml("report", "15")
    assert "Changes since" not in Path("report-15.html").read_text("utf-8")


def test_a_report_is_not_part_of_the_code_of_later_runs(
    riseml: Riseml,
) -> None:
    Path("riseml.yml").write_text("project: toaster-net\ntrain: {run: 'true'}\n")
    Path("fit.py").write_text("print()")
    for _ in range(2):
        assert riseml("report", "15").status == 0
        assert Client().survey("riseml.yml").files == 1


def test_runs_that_disagree_about_the_best_value_have_no_best_experiment(
    engine: FakeEngine, riseml: Riseml
) -> None:
    first, second = engine.runs[0], engine.runs[1]
    engine.runs = [
        replace(first, metrics=(Metric("accuracy", "max"),)),
        replace(second, metrics=(Metric("accuracy", "min"),)),
    ]
    # `riseml results 15 14` marks none, either.
    assert riseml("report", "15", "14", "-o", "both.html").status == 0
    assert "\u2605</td>" not in Path("both.html").read_text("utf-8")
    assert riseml("report", "15", "-o", "one.html").status == 0
    assert "\u2605</td>" in Path("one.html").read_text("utf-8")
