"""Figures of benchmarks: medians of ratios of pairs, and what counts as missed or as not measured."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import measure
import pytest
from measure import CannotMeasureError, Comparison, Figure, Sample


def test_the_ratio_is_the_median_of_the_ratios_of_pairs() -> None:
    # The ratio of the medians would be 3 / 2.
    ours = [Sample(1.0, 0.5), Sample(3.0, 1.5), Sample(40.0, 2.0)]
    base = [Sample(1.0, 0.5), Sample(2.0, 0.5), Sample(10.0, 1.0)]
    figure = Comparison("base", ours, base).figure("row", target=1.5)
    assert (figure.value, figure.cpu_ratio) == (1.5, 2.0)
    assert (figure.seconds, figure.base_seconds) == (3.0, 2.0)
    assert (figure.rounds, figure.spread) == (3, (1.0, 4.0))
    assert figure.ok


def test_commands_take_turns_and_every_second_round_is_reversed() -> None:
    calls = []

    def command(name: str) -> float:
        calls.append(name)
        return len(calls)

    times = measure.side_by_side(
        {"a": lambda: command("a"), "b": lambda: command("b")}, base="a", rounds=2
    )
    assert "".join(calls) == "ab" + "ab" + "ba"
    # The first two calls are for warming: a takes 3 and 6, b takes 4 and 5.
    assert times["b"].ratios == [4 / 3, 5 / 6]


def test_a_command_has_its_wall_time_and_its_cpu_time() -> None:
    code = "import time; time.sleep(0.2)"
    taken = measure.sample([sys.executable, "-c", code])
    assert taken.seconds >= 0.2
    assert taken.cpu is not None
    assert 0 < taken.cpu < taken.seconds


def test_a_command_that_fails_gives_its_reason() -> None:
    code = "import sys; sys.exit('no disk')"
    with pytest.raises(CannotMeasureError, match=r"exits 1: no disk$"):
        measure.sample([sys.executable, "-c", code])


def test_a_figure_survives_json() -> None:
    figure = measure.absolute("row", [3.0, 1.0, 2.0], "ms", target=1.9)
    data = json.loads(json.dumps(figure.data("script")))
    assert (data["script"], data["ok"], data["value"]) == ("script", False, 2.0)
    assert measure.from_data(data) == figure


def test_the_table_shows_both_times_and_earlier_figures() -> None:
    figure = Figure(
        name="row",
        value=1.234,
        base="cat",
        target=1.2,
        rounds=5,
        seconds=1.5,
        base_seconds=0.0042,
    )
    earlier = {"row": Figure(name="row", value=12.3)}
    header, line = measure.table([figure], earlier).splitlines()
    assert header.split()[:5] == ["ok", "measurement", "before", "value", "target"]
    expected = "OVER row 12.3 x 1.23 x ≤ 1.2 x cat 1.50 s 4.2 ms 5"
    assert line.split() == expected.split()


def test_what_cannot_be_measured_hides_no_other_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rows(_rounds: int | None) -> Iterator[Figure]:
        yield Figure(name="over", value=2.0, target=1.0)
        raise CannotMeasureError("no parallel")

    file = tmp_path / "figures.json"
    monkeypatch.setattr(sys, "argv", ["jobs.py", "-o", str(file)])
    with pytest.raises(SystemExit, match="cannot measure: no parallel"):
        measure.main(rows)
    record = json.loads(file.read_text())
    assert record["failure"] == "no parallel"
    assert [one["name"] for one in record["figures"]] == ["over"]


def test_a_missed_target_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["jobs.py"])
    measure.main(lambda _rounds: [Figure(name="over", value=2.0, target=1.0)])
