"""All files of an experiment together: precedence, attempts, states that another command continues."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riseml.metrics.experiment import Reading, shown
from riseml.metrics.files import (
    DOCUMENT,
    EVENTS,
    LOG,
    TABLE,
    File,
    kind_of,
    of_last_attempt,
)
from riseml.plan import Metric
from tests.unit.metrics import event_files as write

LOG_FILE = ".riseml/logs/train.0.log"
METRICS = (Metric("val_loss", "min"), Metric("acc", "max"), Metric("lr"))


class Disk:
    """Files in memory."""

    def __init__(self, **files: bytes) -> None:
        self.files = {}
        self.read_bytes = 0
        for name, data in files.items():
            self.files[name] = data

    def listing(self) -> list[File]:
        return [File(path, len(data), len(data)) for path, data in self.files.items()]

    def read(self, file: File, start: int, size: int) -> bytes:
        data = self.files[file.path][start : start + size]
        self.read_bytes += len(data)
        return data

    def measure(self, reading: Reading, *, is_end: bool = True) -> dict[str, Any]:
        reading.advance(self.listing(), self.read, is_end=is_end)
        return reading.measured()


def events(tag: str, *values: float) -> bytes:
    data = write.VERSION
    for step, value in enumerate(values):
        data += write.event(step, write.simple(tag, value))
    return data


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        (".riseml/logs/train.0.log", LOG),
        (".riseml/logs/worker.1.10.log", LOG),
        (".riseml/logs/train.0.log.times", None),
        (".riseml/metrics.json", None),
        ("workdir.1/metrics.csv", None),
        ("workdir/runs/events.out.tfevents.17.host.1.0", EVENTS),
        ("lightning_logs/version_0/metrics.csv", TABLE),
        ("workdir/training.log", TABLE),
        ("train.log", None),
        ("out/checkpoint-10/trainer_state.json", DOCUMENT),
        ("wandb/run-1/files/wandb-summary.json", DOCUMENT),
        ("config.json", None),
        ("metrics.jsonl", DOCUMENT),
        ("model.pt", None),
    ],
)
def test_kinds_of_files(path: str, kind: str | None) -> None:
    assert kind_of(path) == kind


def test_event_files_count_before_tables_and_these_before_logs() -> None:
    disk = Disk()
    disk.files[LOG_FILE] = b"val_loss=1\nacc=1\nlr=1\n"
    disk.files["metrics.csv"] = b"step,val_loss,acc\n1,2,2\n"
    disk.files["runs/events.out.tfevents.1"] = events("acc", 5, 3, 4)
    measured = disk.measure(Reading(METRICS))
    assert measured["val_loss"]["source"] == "metrics.csv"
    assert measured["acc"] == {
        "best": 5.0,
        "best_step": 0,
        "last": 4.0,
        "last_step": 2,
        "source": "runs/events.out.tfevents.1",
    }
    assert measured["lr"] == {"last": 1.0, "source": LOG_FILE}
    assert [shown(measured[name]) for name in ("val_loss", "acc", "lr")] == [2, 5, 1]


def test_nan_and_infinities_have_names_and_are_never_the_best() -> None:
    disk = Disk()
    disk.files[LOG_FILE] = b"val_loss=0.5\nval_loss=-inf\nval_loss=nan\nacc=nan\n"
    measured = disk.measure(Reading(METRICS))
    assert measured["val_loss"]["best"] == 0.5
    assert measured["val_loss"]["last"] == "NaN"
    assert (measured["acc"]["best"], shown(measured["acc"])) == (None, "NaN")


def test_a_pattern_is_for_logs_alone() -> None:
    disk = Disk()
    disk.files[LOG_FILE] = b"best accuracy so far 0.7\n"
    disk.files["metrics.csv"] = b"step,acc\n1,2\n"
    reading = Reading([Metric("acc", "max", r"so far (\S+)")])
    assert disk.measure(reading)["acc"]["best"] == 0.7


def test_another_command_continues_and_reads_no_byte_twice() -> None:
    disk = Disk()
    disk.files[LOG_FILE] = b"val_loss=0.5\nval_loss=0.1" + b"0" * 10_000
    disk.files["events.out.tfevents.1"] = events("acc", 0.5)
    disk.measure(Reading(METRICS), is_end=False)
    reading = Reading(METRICS)
    reading.advance(disk.listing(), disk.read, is_end=False)
    data = json.loads(json.dumps(reading.to_data()))
    disk.files[LOG_FILE] += b"\nval_loss=0.25\n"
    disk.files["events.out.tfevents.1"] += events("acc", 0.75)
    disk.read_bytes = 0
    continued = Reading(METRICS)
    continued.restore(data)
    measured = disk.measure(continued)
    assert measured["val_loss"]["best"] == 0.1
    assert (measured["acc"]["best"], measured["acc"]["last"]) == (0.75, 0.75)
    # The incomplete line, and what is new.
    assert disk.read_bytes < 10_000 + 200
    assert continued.advance(disk.listing(), disk.read, is_end=True) is False
    assert measured == disk.measure(Reading(METRICS))


def test_the_state_of_other_metrics_or_of_another_attempt_is_not_continued() -> None:
    disk = Disk()
    disk.files[LOG_FILE] = b"acc=0.5\n"
    reading = Reading(METRICS)
    disk.measure(reading)
    for other in (Reading(METRICS, attempt=1), Reading(METRICS[:2])):
        other.restore(reading.to_data())
        assert other.measured() == {}


@pytest.mark.parametrize("data", [{}, {"format": 1}, [], None, {"files": 3}])
def test_a_damaged_state_is_refused(data: Any) -> None:
    with pytest.raises((AttributeError, KeyError, TypeError, ValueError)):
        Reading(METRICS).restore(data)


def test_a_file_that_is_written_anew_is_read_anew() -> None:
    disk = Disk()
    disk.files["metrics.json"] = b'{"acc": 0.75, "other": 123}'
    disk.files["results.csv"] = b"step,lr\n1,5\n2,6\n3,7\n"
    reading = Reading(METRICS)
    disk.measure(reading, is_end=False)
    disk.files["metrics.json"] = b'{"acc": 0.5}'
    disk.files["results.csv"] = b"step,lr\n1,4\n"
    measured = disk.measure(reading)
    assert (measured["acc"]["best"], measured["lr"]["last"]) == (0.5, 4.0)


def test_a_last_line_without_an_end_counts_when_the_log_has_ended() -> None:
    disk = Disk()
    disk.files[LOG_FILE] = b"acc=0.5\nacc=0.75"
    reading = Reading(METRICS)
    assert disk.measure(reading, is_end=False)["acc"]["last"] == 0.5
    assert disk.measure(reading, is_end=True)["acc"]["last"] == 0.75


def test_files_of_an_earlier_attempt_do_not_belong_to_the_last_one() -> None:
    files = [
        File(".riseml/logs/worker.10.1.log", 1, 31.0),
        File(".riseml/logs/worker.2.1.log", 1, 31.0),
        File(".riseml/logs/master.1.log", 1, 31.0),
        File(".riseml/logs/master.0.log", 1, 10.0),
        File(".riseml/logs/master.0.log.times", 1, 20.0),
        File("metrics.csv", 1, 19.0),
        File("old/results.csv", 1, 20.0),
        File("new/results.csv", 1, 20.5),
        File("model.pt", 1, 30.0),
    ]
    attempt, selected = of_last_attempt(files)
    assert attempt == 1
    assert [file.path for file in selected] == [
        "new/results.csv",
        ".riseml/logs/master.1.log",
        ".riseml/logs/worker.2.1.log",
        ".riseml/logs/worker.10.1.log",
    ]


PATHS = (LOG_FILE, "a.tfevents.1", "metrics.csv", "x.tsv", "metrics.json", "m.jsonl")
PIECES = (
    b"acc", b"=", b":", b" ", b"0.5", b"1e999", b"nan", b",", b"\n", b"\r", b"\b", b"\0",
    b'"', b"'", b"{", b"}", b"[", b"]", b"step", b"-", b"\xff", b"\x1b[1m", b"1_0", b"9" * 400,
    write.VERSION, write.event(1, write.simple("acc", 0.5)),
    write.record(b"\x2a\x03\x0a\xff\xff"), write.record(write.blob(5, write.blob(1, b"\x42\x05\x08\x01"))),
)  # fmt: skip


@given(
    st.sampled_from(PATHS),
    st.lists(st.sampled_from(PIECES) | st.binary(max_size=9), max_size=30),
)
def test_no_content_of_a_file_is_an_error(path: str, pieces: list[bytes]) -> None:
    disk = Disk()
    reading = Reading((Metric("acc", "max"), Metric("p", "min", r"(.+)=")))
    for piece in pieces:
        disk.files[path] = disk.files.get(path, b"") + piece
        disk.measure(reading, is_end=False)
    measured = disk.measure(reading)
    # The result is JSON data, and so is the state.
    json.dumps(measured, allow_nan=False)
    Reading(reading.metrics).restore(json.loads(json.dumps(reading.to_data())))
