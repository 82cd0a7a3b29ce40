"""All values of each metric, with steps and times, from every kind of file."""

import json
import math

import pytest

from riseml.metrics.curves import Point, read_curves, thinned
from riseml.metrics.files import File
from riseml.plan import Metric
from tests.unit.metrics import event_files as write

LOG = ".riseml/logs/train.0.log"
RESULTS = ".riseml/results.jsonl"


def curves(
    files: dict[str, bytes], *metrics: Metric, modified: float = 0.0
) -> dict[str, list[Point]]:
    listed = [
        File(path, len(data), modified)
        for path, data in files.items()
        if not path.endswith(".times") and path != RESULTS
    ]
    return read_curves(metrics, listed, lambda path: files.get(path, b""))


def reported(*reports: dict[str, object]) -> bytes:
    return "".join(json.dumps(report) + "\n" for report in reports).encode()


def timed_event(time: float, step: int, tag: str, value: float) -> bytes:
    return write.event(step, write.simple(tag, value), time=time)


def test_reports_have_their_own_steps_or_their_numbers() -> None:
    lines = reported({"loss": 0.5, "epoch": 2}, {"loss": 0.25, "epoch": 4})
    assert curves({RESULTS: lines}) == {
        "loss": [Point(2, None, 0.5), Point(4, None, 0.25)]
    }
    lines = reported({"loss": 3, "done": True}, {"loss": "NaN", "name": "5"})
    (first, second) = curves({RESULTS: lines})["loss"]
    assert first == Point(1, None, 3)
    assert (second.step, math.isnan(second.value)) == (2, True)


def test_an_incomplete_or_damaged_line_is_left_out() -> None:
    data = b'{"a": 1}\nno json\n[1]\n{"a": 2}\n{"a": 3'
    assert [point.value for point in curves({RESULTS: data})["a"]] == [1, 2]


def test_the_index_of_times_says_when_results_were_reported() -> None:
    lines = [reported({"loss": value}) for value in (3, 2, 1)]
    index = f"100.5 {len(lines[0])}\n200 {len(lines[0] + lines[1])}\n".encode()
    points = curves({RESULTS: b"".join(lines), f"{RESULTS}.times": index})["loss"]
    assert [point.time for point in points] == [100.5, 200, None]


def test_an_index_of_an_earlier_file_does_not_count() -> None:
    line = reported({"loss": 3})
    index = f"100 5000\n150 9000\n200 {len(line)}\n".encode()
    assert curves({RESULTS: line, f"{RESULTS}.times": index}) == {
        "loss": [Point(1, 200, 3)]
    }


def test_events_have_times_and_steps() -> None:
    data = write.VERSION
    data += timed_event(1000.5, 0, "loss", 0.5) + timed_event(1010.0, 10, "loss", 0.25)
    assert curves({"logs/train/events.out.tfevents.1": data}) == {
        "logs/train/loss": [Point(0, 1000.5, 0.5), Point(10, 1010.0, 0.25)]
    }


def test_a_metric_of_riseml_yml_joins_the_files_of_its_series() -> None:
    first = write.VERSION + timed_event(1, 1, "val_loss", 0.5)
    second = write.VERSION + timed_event(2, 2, "val_loss", 0.25)
    files = {"a/events.out.tfevents.2": second, "a/events.out.tfevents.1": first}
    # It has its name from riseml.yml, and is not shown a second time.
    assert curves(files, Metric("val_loss")) == {
        "val_loss": [Point(1, 1, 0.5), Point(2, 2, 0.25)]
    }


def test_lines_of_logs_have_the_time_of_their_part() -> None:
    first, second = b"epoch 1 loss 0.5\n", b"epoch 2 loss 0.25\nother\n"
    index = f"50 {len(first)}\n60 {len(first + second)}\n".encode()
    files = {LOG: first + second, f"{LOG}.times": index}
    assert curves(files, Metric("loss", "min"))["loss"] == [
        Point(1, 50, 0.5),
        Point(2, 60, 0.25),
    ]


def test_all_values_of_a_block_are_kept_but_those_that_were_erased() -> None:
    files = {LOG: b"epoch 1 loss 4\nepoch 2 loss 9\b\b\b\nepoch 3 loss 2\n"}
    points = curves(files, Metric("loss"))["loss"]
    assert [(point.step, point.value) for point in points] == [(1, 4), (3, 2)]


def test_tables_and_documents_have_curves() -> None:
    files = {
        "metrics.csv": b"step,loss\n1,0.5\n2,0.25\n",
        "history.json": b'{"acc": [0.1, 0.2]}',
    }
    assert curves(files) == {
        "acc": [Point(1, None, 0.1), Point(2, None, 0.2)],
        "loss": [Point(1, None, 0.5), Point(2, None, 0.25)],
    }


def test_a_report_counts_more_than_a_file() -> None:
    files = {
        RESULTS: reported({"loss": 1}),
        "metrics.csv": b"step,loss\n1,0.5\n",
        LOG: b"loss: 0.7\n",
    }
    assert curves(files, Metric("loss"))["loss"] == [Point(1, None, 1)]


def test_values_between_two_times_are_spread_evenly() -> None:
    lines = [reported({"loss": value}) for value in (4, 3, 2, 1)]
    index = f"100 {len(lines[0])}\n".encode()
    results = File(RESULTS, 0, modified=130.0)
    files = {RESULTS: b"".join(lines), f"{RESULTS}.times": index}
    (points,) = read_curves((), (), lambda path: files.get(path, b""), results).values()
    assert [point.time for point in points] == [100, 110, 120, 130]


@pytest.mark.parametrize("limit", [2, 10, 99])
def test_a_thinned_curve_keeps_its_ends_and_extremes(limit: int) -> None:
    points = [Point(step, None, step % 7) for step in range(1000)]
    points[501] = Point(501, None, 1000.0)
    kept = thinned(points, limit)
    assert len(kept) <= limit
    assert (kept[0], kept[-1]) == (points[0], points[-1])
    if limit > 2:
        assert points[501] in kept
    assert thinned(points, 1000) == points
    assert [point.step for point in kept] == sorted(point.step or 0 for point in kept)
