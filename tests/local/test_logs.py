"""Lines of a log: selected by number and time, in chunks, with secrets masked."""

import os
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riseml.engines import Chunk, LogQuery
from riseml.engines.local.logs import offset_of_tail, offset_since
from riseml.ids import Id
from tests.local.conftest import Lab


@given(st.text(st.sampled_from("ab\n"), max_size=40), st.integers(0, 12))
def test_tail_returns_the_last_lines(
    tmp_path_factory: pytest.TempPathFactory, text: str, count: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "log"
    path.write_text(text)
    assert text[offset_of_tail(path, count) :] == "".join(
        text.splitlines(keepends=True)[-count:] if count else []
    )


@pytest.mark.parametrize(
    ("since", "offset"),
    [(50, 0), (100, 0), (101, 10), (150.5, 10), (201, 30), (999, 30)],
)
def test_since_returns_lines_from_a_time_on(
    tmp_path: Path, since: float, offset: int
) -> None:
    (tmp_path / "log").write_bytes(b"x" * 30)
    (tmp_path / "log.times").write_text(
        # The last line is being written.
        "100 10\n200 30\n210"
    )
    assert offset_since(tmp_path / "log", datetime.fromtimestamp(since, UTC)) == offset


def test_a_log_without_an_index_is_as_old_as_its_file(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"x" * 30)
    os.utime(tmp_path / "log", (500, 500))
    assert offset_since(tmp_path / "log", datetime.fromtimestamp(400, UTC)) == 0
    assert offset_since(tmp_path / "log", datetime.fromtimestamp(600, UTC)) == 30


def test_tail_applies_to_every_job_and_to_the_log_of_one_job(lab: Lab) -> None:
    lab.run("parameters: {n: [1, 2]}\nrun: seq {{n}}00 {{n}}04")
    chunks = [
        e
        for e in lab.engine.logs(LogQuery(Id(number=1), follow=False, tail=2))
        if isinstance(e, Chunk)
    ]
    assert {event.job: event.data for event in chunks} == {
        "1.1.train": b"103\n104\n",
        "1.2.train": b"203\n204\n",
    }
    (only,) = (
        e
        for e in lab.engine.logs(LogQuery(Id(None, 1, 2, "train")))
        if isinstance(e, Chunk)
    )
    assert only.job == "1.2.train"


def test_a_million_lines_arrive_in_few_chunks(lab: Lab) -> None:
    lab.run("run: seq 1000000")
    chunks = [
        event.data
        for event in lab.engine.logs(LogQuery(Id(number=1)))
        if isinstance(event, Chunk)
    ]
    assert b"".join(chunks) == b"".join(b"%d\n" % n for n in range(1, 1_000_001))
    assert len(chunks) < 100
    assert all(data.endswith(b"\n") for data in chunks)


def test_a_line_without_its_end_is_shown_after_a_while(lab: Lab) -> None:
    number = lab.train("run: 'printf \"no end\"; sleep 600'").number
    for event in lab.engine.logs(LogQuery(Id(number=number))):
        if isinstance(event, Chunk):
            assert (event.data, event.partial) == (b"no end", True)
            break
    lab.engine.stop(Id(number=number), force=True)


def test_lines_have_the_times_at_which_they_were_written(lab: Lab) -> None:
    """A line is written once the index has the one before, so their times differ."""
    code = """
    import os, pathlib, sys, time
    logs = pathlib.Path(os.environ["OUTPUT_DIR"], ".riseml/logs")
    log, index = logs / f"train.{sys.argv[1]}.log", logs / f"train.{sys.argv[1]}.log.times"
    def is_indexed():
        return index.exists() and index.read_text().endswith(f" {log.stat().st_size}\\n")
    for number in range(2):
        print(time.time(), flush=True)
        while not is_indexed():
            time.sleep(0.02)
    raise SystemExit(sys.argv[1] == "0")
    """
    lab.write({"fit.py": code})
    lab.run("retries: 1\nrun: python fit.py $RISEML_ATTEMPT")
    live = LogQuery(Id(number=1), times=True)
    for query in (live, replace(live, tail=2), replace(live, follow=False)):
        attempts, printed, written = [], [], []
        for chunk in lab.engine.logs(query):
            if not isinstance(chunk, Chunk):
                continue
            assert chunk.time
            for line in chunk.data.splitlines():
                # RiseML itself writes a line between attempts.
                if line[:1].isdigit():
                    attempts.append(chunk.attempt)
                    printed.append(float(line))
                    written.append(chunk.time.timestamp())
        assert attempts == [0, 0, 1, 1]
        # The kernel's clock for files is some milliseconds behind.
        for number, seconds in enumerate(written):
            assert seconds >= printed[number] - 0.1
        assert written[0] <= printed[1]
        assert written[2] <= printed[3]


def test_a_run_of_an_idle_controller_is_sampled_at_once(lab: Lab) -> None:
    """An idle controller samples once a minute, which would make all times wrong."""
    lab.run("run: 'true'")
    # The controller has planned its next sample by now, for a minute later.
    time.sleep(1.5)
    number = lab.train("run: echo here; sleep 60").number
    index = lab.output(number) / ".riseml/logs/train.0.log.times"
    begun = time.monotonic()
    lab.until(lambda: index.exists() and index.read_text())
    assert time.monotonic() - begun < 30
