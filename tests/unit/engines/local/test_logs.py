"""Logs of local runs, replayed and followed: which lines come, and in which order with states."""

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from riseml.engines import Change, Chunk, Growth, LogQuery
from riseml.engines.local import logs
from riseml.engines.local.file_changes import FileChanges
from riseml.engines.local.watch import Observation
from riseml.errors import NotFoundError
from riseml.ids import Id
from riseml.plan import Experiment, Retries
from tests.unit.engines.local.controlled_home import ControlledHome
from tests.unit.plans import grid, single

RUN = Id(number=1)
Step = Callable[[], object]


def log_of(home: ControlledHome, name: str, sub: int | None = None) -> Path:
    """Return the path of a log, whose folder exists."""
    parts = () if sub is None else (str(sub),)
    folder = home.output(1, *parts, ".riseml/logs")
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{name}.log"


def follow(
    home: ControlledHome, query: LogQuery, *steps: Step, hidden: tuple[str, ...] = ()
) -> list[str | tuple[str, bytes]]:
    """Return states and lines in their order; steps happen between observations."""

    def observations() -> Iterator[Observation]:
        yield Observation(home.reader.read_to_follow(query.id), is_new=True)
        for step in steps:
            step()
            yield Observation(home.reader.read_to_follow(query.id), is_new=True)

    followed: list[str | tuple[str, bytes]] = []
    for event in logs.follow(
        query, observations(), home.output(1), hidden, FileChanges([])
    ):
        if isinstance(event, Change):
            followed.append(f"{event.id} {event.state}")
        else:
            followed.append((event.job, event.data))
    return followed


def test_the_last_lines_of_a_job_come_before_its_end(home: ControlledHome) -> None:
    home.start(single())
    log = log_of(home, "train.0")
    log.write_bytes(b"one\n")

    def end() -> None:
        with log.open("ab") as file:
            file.write(b"two\nthree")
        home.end("1.train")

    assert follow(home, LogQuery(RUN), end) == [
        "1.train RUNNING",
        "1 RUNNING",
        ("1.train", b"one\n"),
        ("1.train", b"two\n"),
        ("1.train", b"three"),
        "1.train FINISHED",
        "1 FINISHED",
    ]


def test_attempts_follow_each_other(home: ControlledHome) -> None:
    home.start(single(retries=Retries(1)))
    log_of(home, "train.0").write_bytes(b"first\n")
    home.end("1.train", status=1)
    log_of(home, "train.1").write_bytes(b"second\n")
    query = LogQuery(RUN, follow=False)
    lines = [event for event in follow(home, query) if isinstance(event, tuple)]
    assert lines == [("1.train", b"first\n"), ("1.train", b"second\n")]


def test_logs_of_a_set_have_the_ids_of_its_jobs(home: ControlledHome) -> None:
    home.start(grid({"lr": "1"}, {"lr": "2"}, {"lr": "3"}, concurrency=2))
    for sub in (1, 2, 3):
        log_of(home, "train.0", sub).write_bytes(b"%d\n" % sub)

    def lines(query: LogQuery) -> list[tuple[str, bytes]]:
        events = follow(home, replace(query, follow=False))
        return [event for event in events if isinstance(event, tuple)]

    # The third one has not started, so its folder is not read.
    assert lines(LogQuery(RUN)) == [("1.1.train", b"1\n"), ("1.2.train", b"2\n")]
    assert lines(LogQuery(Id(number=1, sub=2))) == [("1.2.train", b"2\n")]
    job = Id(number=1, sub=1, type="train")
    assert lines(LogQuery(job)) == [("1.1.train", b"1\n")]


def test_a_repeated_experiment_has_the_logs_of_earlier_attempts(
    home: ControlledHome,
) -> None:
    home.start(grid({"lr": "1"}, {"lr": "2"}, concurrency=1))
    log_of(home, "train.0", 1).write_bytes(b"first\n")
    home.end("1.train", status=1)
    again = (Experiment(1, {"lr": "1"}, attempts=1),)
    home.start(grid({"lr": "1"}, experiments=again), Growth(1, 2))
    log_of(home, "train.1", 1).write_bytes(b"second\n")
    events = follow(home, LogQuery(Id(number=1, sub=1), follow=False))
    lines = [event for event in events if isinstance(event, tuple)]
    assert lines == [("1.1.train", b"first\n"), ("1.1.train", b"second\n")]


def test_secrets_are_hidden_also_over_several_lines(home: ControlledHome) -> None:
    home.start(single())
    log_of(home, "train.0").write_bytes(b"the key is abc\ndef here\n")
    home.end("1.train")
    events = follow(home, LogQuery(RUN), hidden=("abc\ndef",))
    text = b"".join(event[1] for event in events if isinstance(event, tuple))
    assert text == b"the key is *** here\n"


def test_tail_and_times_of_lines(home: ControlledHome) -> None:
    home.start(single())
    log = log_of(home, "train.0")
    log.write_bytes(b"one\ntwo\nthree\n")
    log.with_name("train.0.log.times").write_text("100 4\n200 8\n")
    os.utime(log, (300, 300))
    home.end("1.train")
    os.utime(log, (300, 300))
    query = LogQuery(RUN, follow=False, tail=2, times=True)
    observed = [Observation(home.reader.read_to_follow(RUN), is_new=True)]
    chunks = []
    for event in logs.follow(query, observed, home.output(1), (), FileChanges([])):
        if isinstance(event, Chunk) and event.time is not None:
            chunks.append((event.time.timestamp(), event.data))
    assert [data for _, data in chunks] == [b"two\n", b"three\n"]
    assert chunks[0][0] == 200
    since = LogQuery(RUN, follow=False, since=datetime.fromtimestamp(150, UTC))
    events = follow(home, since)
    lines = [event[1] for event in events if isinstance(event, tuple)]
    assert lines == [b"two\nthree\n"]


def test_a_line_without_its_end_is_shown_after_a_while(
    home: ControlledHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.start(single())
    log_of(home, "train.0").write_bytes(b"password: ")
    monkeypatch.setattr(logs, "_PARTIAL_LINE_SECONDS", -1.0)
    observed = [Observation(home.reader.read_to_follow(RUN), is_new=True)]
    chunks = []
    for event in logs.follow(
        LogQuery(RUN), observed, home.output(1), (), FileChanges([])
    ):
        if isinstance(event, Chunk):
            chunks.append((event.data, event.partial))
    assert chunks == [(b"password: ", True)]


def test_a_job_that_does_not_exist_is_not_found(home: ControlledHome) -> None:
    home.start(single())
    home.end("1.train")
    with pytest.raises(NotFoundError) as caught:
        follow(home, LogQuery(Id(number=1, type="worker")))
    assert str(caught.value) == "1.worker does not exist"
