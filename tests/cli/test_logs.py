"""`riseml logs` with times, and as data."""

import csv
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta

import pytest
import yaml

from riseml.cli import log_records
from riseml.cli.log_records import LineRecord
from riseml.engines import Change, Chunk, LogQuery
from riseml.ids import Id
from riseml.status import State
from tests.cli.conftest import Riseml
from tests.cli.fake_engine import NOW, FakeEngine, grid, single
from tests.cli.test_schemas import validate

LATER = NOW + timedelta(milliseconds=1_234)
EVENTS: list[Chunk | Change] = [
    Change("16.train", "RUNNING", NOW),
    Chunk("16.train", b'say "a, b"\n10%\r90%\r\n\x1b[31mred\x1b[0m\n', time=NOW),
    Chunk("16.train", b"unfin", partial=True, time=NOW),
    Chunk("16.train", b"ished\n- x: \xff\n", time=LATER),
    Chunk("16.train", b"lost", partial=True, time=LATER),
    Chunk("16.train", b"again\nend", attempt=1),
    Change("16.train", "FINISHED", LATER, exit_code=0),
]
TEXTS = ['say "a, b"', "90%", "\x1b[31mred\x1b[0m", "unfinished", "- x: �", "lost"]
FIRST_TIME, LATER_TIME = "2018-01-31T12:00:00.000Z", "2018-01-31T12:00:01.234Z"


def _record(text: str, time: str | None, attempt: int = 0) -> LineRecord:
    return {"job": "16.train", "time": time, "attempt": attempt, "text": text}


RECORDS = [
    *(_record(text, FIRST_TIME) for text in TEXTS[:3]),
    *(_record(text, LATER_TIME) for text in TEXTS[3:]),
    _record("again", None, 1),
    _record("end", None, 1),
]


@pytest.fixture(autouse=True)
def _zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Use a time zone with a name."""
    import time  # noqa: PLC0415

    monkeypatch.setenv("TZ", "CET-1")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def logs(engine: FakeEngine) -> FakeEngine:
    """Return an engine with a log."""
    engine.runs, engine.events = [single(16)], list(EVENTS)
    return engine


def test_json_has_an_object_a_line(logs: FakeEngine, riseml: Riseml) -> None:
    lines = riseml("logs", "-o", "json").out.splitlines()
    assert [validate("logs", line) for line in lines] == RECORDS
    assert logs.calls == [("logs", LogQuery(Id(number=16), times=True))]


def test_yaml_has_the_same_documents(logs: FakeEngine, riseml: Riseml) -> None:
    text = riseml("logs", "-o", "yaml").out
    assert list(yaml.safe_load_all(text)) == RECORDS


def test_csv_has_the_same_rows(logs: FakeEngine, riseml: Riseml) -> None:
    rows = list(csv.DictReader(io.StringIO(riseml("logs", "-o", "csv").out)))
    assert [row["text"] for row in rows] == [record["text"] for record in RECORDS]
    assert rows[0] == {**RECORDS[0], "attempt": "0"}
    assert rows[-1]["time"] == ""


def test_name_prints_the_jobs(engine: FakeEngine, riseml: Riseml) -> None:
    engine.runs = [grid(15, [State.FINISHED, State.RUNNING])]
    assert riseml("logs", "-o", "name").out == "15.1.train\n15.2.train\n"
    assert riseml("logs", "15.2", "-o", "name").out == "15.2.train\n"
    assert riseml("logs", "15.2.train", "-o", "name").out == "15.2.train\n"
    assert engine.calls == []


def test_a_pattern_selects_lines_by_what_people_see(
    logs: FakeEngine, riseml: Riseml
) -> None:
    lines = riseml("logs", "-o", "json", "--grep", "^(red|9|1)").out.splitlines()
    assert [json.loads(line)["text"] for line in lines] == TEXTS[1:3]


@pytest.mark.parametrize("option", [["--timestamps"], ["-t"], ["-o", "wide"]])
def test_timestamps_are_local_and_name_the_zone(
    option: list[str], logs: FakeEngine, riseml: Riseml
) -> None:
    assert riseml("logs", *option).out.splitlines() == [
        "16.train | 2018-01-31 13:00:00 CET --> RUNNING",
        '16.train | 2018-01-31 13:00:00 CET say "a, b"',
        "16.train | 2018-01-31 13:00:00 CET 90%",
        "16.train | 2018-01-31 13:00:00 CET \x1b[31mred\x1b[0m",
        "16.train | 2018-01-31 13:00:01 CET unfinished",
        "16.train | 2018-01-31 13:00:01 CET - x: �",
        "16.train | - lostagain",
        "16.train | 2018-01-31 13:00:01 CET end",
        "16.train | 2018-01-31 13:00:01 CET --> FINISHED",
        "16.train | 2018-01-31 13:00:01 CET Exit Code: 0",
    ]


def test_lines_of_a_single_job_begin_with_the_time(
    logs: FakeEngine, riseml: Riseml
) -> None:
    lines = riseml("logs", "16.train", "-t").out.splitlines()
    assert lines[1] == '2018-01-31 13:00:00 CET say "a, b"'


def test_without_timestamps_the_engine_is_not_asked_for_times(
    logs: FakeEngine, riseml: Riseml
) -> None:
    riseml("logs")
    assert logs.calls == [("logs", LogQuery(Id(number=16), times=False))]


def test_a_line_without_end_does_not_fill_the_memory(
    logs: FakeEngine, riseml: Riseml, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_records, "_MAX_LINE_BYTES", 5)
    logs.events = [Chunk("16.train", b"123456"), Chunk("16.train", b"7\n")]
    lines = riseml("logs", "-o", "json").out.splitlines()
    assert [json.loads(line)["text"] for line in lines] == ["123456", "7"]


def test_the_record_has_the_fields_that_are_documented() -> None:
    assert list(LineRecord.__annotations__) == ["job", "time", "attempt", "text"]


_LARGE_LOG = """
import resource, sys
from riseml.cli import follow
from riseml.engines import Chunk

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

part = b"a line of a large log\\n" * 12_000
chunks = [Chunk("16.train", part)] * 10
follow.show(chunks)
before = faults()
follow.show(chunks * 10)
print(faults() - before, file=sys.stderr)
"""


def test_a_large_log_reuses_its_memory() -> None:
    shown = subprocess.run(
        [sys.executable, "-c", _LARGE_LOG], capture_output=True, check=True
    )
    # Without reuse, the 100 parts of 260 KB need a new page for each 4 KB.
    assert int(shown.stderr) < 1_000
