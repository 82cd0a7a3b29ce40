"""Logs that the kubelet replaces while they are written and read: each line is shown once, in order."""

import random
import threading
import time
from collections.abc import Callable, Generator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Thread
from typing import Any, cast

import pytest

from riseml.engines import Chunk, LogQuery
from riseml.engines.argo import attempt_copy, file_checks, log_reader, logs, pod_log
from riseml.engines.argo.attempt_copy import AttemptCopy
from riseml.errors import UnreachableError
from riseml.ids import Id
from tests.unit.engines.argo.fake_cluster import (
    Document,
    FakeCluster,
    FakeStore,
    pod,
    reader,
    workflow,
)
from tests.unit.shell_store import Shell

START = b'time=x level=INFO msg="waiting for signals" argo=true\n'
END = b'time=x level=INFO msg="sub-process exited" argo=true\n'
COPY = "me/net/14/1/.riseml/logs/train.0.log"


class Node:
    """A node on which one job writes its log, and a kubelet that replaces the file.

    As the real one, it serves the newest file only. A connection that follows a file may
    lose what is written while it is replaced. The copy is late by some lines.
    """

    def __init__(self, output: Path, *, delay: int = 0) -> None:
        self.copy = output / COPY
        self.copy.parent.mkdir(parents=True)
        self.copy.touch()
        self.lines: list[tuple[str, bytes]] = []
        self.files, self.delay = 0, delay
        self.has_ended = Event()
        self._uncopied: list[bytes] = []
        self._copied, self._last_stamp = 0, 0.0
        self._append(START)

    def _append(self, line: bytes) -> None:
        # Each line has a time of its own.
        now = max(time.time(), self._last_stamp + 1e-5)
        self._last_stamp = now
        stamp = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        # The runtime drops a carriage return at the end of a line.
        self.lines.append((stamp, line.replace(b"\r\n", b"\n")))

    def write(self, line: bytes) -> None:
        """Write a line into the pod's log, and after some more into the copy."""
        self._append(line)
        self._uncopied.append(line)
        if len(self._uncopied) > self.delay:
            self.flush(1)

    def flush(self, count: int | None = None) -> None:
        """Copy the lines that the volume does not have yet, and note the time."""
        lines = self._uncopied[:count]
        del self._uncopied[: len(lines)]
        with self.copy.open("ab") as file:
            file.writelines(lines)
        self._copied += sum(map(len, lines))
        with self.copy.with_name(f"{self.copy.name}.times").open("a") as index:
            index.write(f"{int(time.time())} {self._copied}\n")

    def replace(self) -> None:
        """Begin a new file."""
        self.lines, self.files = [], self.files + 1

    def end(self) -> None:
        """End the job."""
        self.flush()
        self._append(END)
        self.has_ended.set()

    def read(self, options: Document) -> Iterator[bytes]:
        """Yield what the kubelet answers."""
        lines, file = self.lines, self.files
        count = options.get("tailLines")
        done = 0 if count is None else max(0, len(lines) - count)
        limit = options.get("limitBytes")
        while True:
            has_ended = self.has_ended.is_set()
            text = b""
            for stamp, line in lines[done:]:
                text += f"{stamp} ".encode() * ("timestamps" in options) + line
                done += 1
            yield text[:limit]
            if options.get("follow") != "true" or has_ended:
                return
            time.sleep(0.002)
            if self.files != file:
                # What was written to the old file since is lost.
                lines, file, done = self.lines, self.files, 0


class Response:
    """The answer to a request for a log."""

    def __init__(self, node: Node, options: Document) -> None:
        self.node, self.options = node, options

    def stream(self, size: int) -> Iterator[bytes]:
        return self.node.read(self.options)


class Cluster(FakeCluster):
    node: Node

    def open(self, path: str, **options: Any) -> Any:
        return Response(self.node, options)


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "_PARTIAL_LINE_SECONDS", 0.01)
    monkeypatch.setattr(logs, "_CHECK_SECONDS", 0.01)
    monkeypatch.setattr(logs, "StoreShell", lambda store: store)
    monkeypatch.setattr(log_reader, "_COPY_SECONDS", 0.01)
    monkeypatch.setattr(log_reader, "_RETRY_SECONDS", 0.01)
    monkeypatch.setattr(log_reader, "_SLACK_SECONDS", 1)
    monkeypatch.setattr(log_reader, "_INDEX_SECONDS", 0.1)
    monkeypatch.setattr(file_checks, "_HELD_SECONDS", 0.01)
    monkeypatch.setattr(file_checks, "_IDLE_SECONDS", 0.05)
    monkeypatch.setattr(pod_log, "_LONG_FILE_BYTES", 200)


class Job(Thread):
    """A job that writes its lines, and ends; some lines begin a new file."""

    def __init__(
        self, cluster: Cluster, lines: list[bytes], turns: Callable[[int], bool]
    ) -> None:
        super().__init__(daemon=True)
        self.cluster, self.lines, self.turns = cluster, lines, turns

    def run(self) -> None:
        node = self.cluster.node
        for number, line in enumerate(self.lines):
            node.write(line)
            if self.turns(number):
                node.replace()
            time.sleep(0.001)
        node.end()
        self.cluster.pods = [pod(1, state="terminated")]
        ended = workflow(
            {"phase": "Succeeded"}, phase="Succeeded", finishedAt="2026-01-01T00:02:00Z"
        )
        self.cluster.workflows = [ended]
        self.cluster.watched.append(("MODIFIED", ended))


def cluster_with(node: Node) -> Cluster:
    cluster = Cluster([workflow({"phase": "Running"})], [pod(1)])
    cluster.node = node
    return cluster


def shown(
    cluster: Cluster, output: Path, store: Shell | None = None, **query: Any
) -> bytes:
    """Return what is shown of the log."""
    volume = cast(FakeStore, store or Shell(output))
    events = logs.follow(reader(cluster, volume), LogQuery(Id(number=14), **query))
    return b"".join(event.data for event in events if isinstance(event, Chunk))


def numbered(count: int, end: bytes = b"\n") -> list[bytes]:
    return [b"line %d" % number + end for number in range(count)]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("delay", [0, 20])
@pytest.mark.parametrize("times", [False, True])
def test_each_line_is_shown_once_while_files_are_replaced(
    seed: int, delay: int, tmp_path: Path, *, times: bool
) -> None:
    draw = random.Random(seed)
    turns = set(draw.sample(range(400), 4))
    lines = numbered(400)
    cluster = cluster_with(Node(tmp_path, delay=delay))
    job = Job(cluster, lines, turns.__contains__)
    job.start()
    assert shown(cluster, tmp_path, times=times) == b"".join(lines)
    job.join()


@pytest.mark.parametrize(
    "lines",
    [
        numbered(300, b"\r\n"),
        [b"0%%\r50%%\rline %d\n" % number for number in range(300)],
        # Nothing says where a file begins, so the copy is read on.
        [b"the same\n"] * 300,
        [b"", *[b"epoch\n", b"step\n"] * 150],
    ],
    ids=["line ends", "progress bars", "one line", "two lines"],
)
@pytest.mark.parametrize("delay", [0, 20])
def test_lines_that_are_no_landmarks_are_counted(
    lines: list[bytes], delay: int, tmp_path: Path
) -> None:
    cluster = cluster_with(Node(tmp_path, delay=delay))
    job = Job(cluster, lines, {60, 61, 150, 250}.__contains__)
    job.start()
    text = b"".join(lines)
    written = shown(cluster, tmp_path)
    assert written.replace(b"\r\n", b"\n") == text.replace(b"\r\n", b"\n")
    job.join()


def running(
    output: Path, lines: list[bytes], turns: set[int], *, delay: int = 0
) -> Cluster:
    """Return a cluster whose job has written lines, and runs."""
    cluster = cluster_with(Node(output, delay=delay))
    for number, line in enumerate(lines):
        cluster.node.write(line)
        if number in turns:
            cluster.node.replace()
    return cluster


def ended(output: Path, lines: list[bytes], turns: set[int]) -> Cluster:
    """Return a cluster whose job has written lines and ended."""
    cluster = running(output, [], set())
    job = Job(cluster, lines, turns.__contains__)
    job.run()
    return cluster


@pytest.mark.parametrize("turns", [set(), {0}, {50, 80}, {99}])
@pytest.mark.parametrize("tail", [None, 0, 5, 40])
@pytest.mark.parametrize("follow", [False, True])
def test_the_lines_of_an_ended_job_are_complete(
    turns: set[int], tail: int | None, tmp_path: Path, *, follow: bool
) -> None:
    lines = numbered(100)
    cluster = ended(tmp_path, lines, turns)
    expected = lines if tail is None else lines[len(lines) - tail :]
    text = shown(cluster, tmp_path, tail=tail, follow=follow)
    assert text == b"".join(expected)


@pytest.mark.parametrize("turns", [set(), {50, 80}, {99}])
@pytest.mark.parametrize("tail", [None, 5, 40])
def test_the_lines_of_a_running_job_are_complete(
    turns: set[int], tail: int | None, tmp_path: Path
) -> None:
    lines = numbered(100)
    cluster = running(tmp_path, lines, turns)
    text = shown(cluster, tmp_path, tail=tail, follow=False)
    assert text == b"".join(lines[-tail:] if tail else lines)


def test_the_pod_has_what_is_not_in_the_volume_yet(tmp_path: Path) -> None:
    lines = numbered(100)
    cluster = running(tmp_path, lines, {50}, delay=20)
    assert shown(cluster, tmp_path, follow=False) == b"".join(lines)
    assert shown(cluster, tmp_path, follow=False, tail=30) == b"".join(lines[-30:])


@pytest.mark.parametrize("turn", [30, 90])
def test_a_section_goes_on_while_files_are_replaced(turn: int, tmp_path: Path) -> None:
    lines = numbered(200)
    cluster = running(tmp_path, lines[:50], {20})
    job = Job(cluster, lines[50:], {turn}.__contains__)
    store = cast(FakeStore, Shell(tmp_path))
    query = LogQuery(Id(number=14), tail=40)
    text = b""
    for event in logs.follow(reader(cluster, store), query):
        if not isinstance(event, Chunk):
            continue
        if not text:
            # The section begins before the job goes on.
            job.start()
        text += event.data
    assert text == b"".join(lines[10:])
    job.join()


def test_lines_since_a_time_come_from_all_files(tmp_path: Path) -> None:
    cluster = running(tmp_path, numbered(40), {10, 30})
    index = cluster.node.copy.with_name("train.0.log.times")
    entries = index.read_text().splitlines()
    for number, entry in enumerate(entries):
        # A line a second
        entries[number] = f"{1000 + number} {entry.partition(' ')[2]}"
    index.write_text("\n".join(entries) + "\n")
    since = datetime.fromtimestamp(1005, UTC)
    text = shown(cluster, tmp_path, since=since, follow=False)
    assert text == b"".join(numbered(40)[5:])


def test_a_full_volume_does_not_hide_what_the_pod_has(tmp_path: Path) -> None:
    lines = numbered(100)
    cluster = ended(tmp_path, lines, {50})
    copy = cluster.node.copy
    copy.write_bytes(b"".join(lines[:80]))
    assert shown(cluster, tmp_path) == b"".join(lines)


def test_without_a_copy_the_lines_of_the_pod_are_shown(tmp_path: Path) -> None:
    lines = numbered(100)
    cluster = ended(tmp_path, lines, {50})
    cluster.node.copy.unlink()
    assert shown(cluster, tmp_path) == b"".join(lines[51:])


@pytest.mark.parametrize("query", [{}, {"tail": 100}])
def test_lines_of_a_silent_job_are_shown_although_its_file_is_empty(
    query: dict[str, Any], tmp_path: Path
) -> None:
    lines = numbered(100)
    cluster = running(tmp_path, lines, {99})
    job = Job(cluster, [b"last\n"], set().__contains__)
    store = cast(FakeStore, Shell(tmp_path))
    text = b""
    for event in logs.follow(reader(cluster, store), LogQuery(Id(number=14), **query)):
        if isinstance(event, Chunk):
            text += event.data
            if text == b"".join(lines):
                job.start()
    assert text == b"".join([*lines, b"last\n"])


def test_what_was_read_before_the_volume_was_away_is_not_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AttemptCopy, "read", read_in_small_pieces)
    lines = numbered(100)
    cluster = ended(tmp_path, lines, {50})
    store = Away(tmp_path)
    assert shown(cluster, tmp_path, store=store) == b"".join(lines)
    assert store.failures == 0


class Away(Shell):
    """A store that is away for a moment in the middle of a copy."""

    failures = 2

    def script(self, text: str, *arguments: str, **options: Any) -> bytes:
        is_read = text == attempt_copy._READ
        if self.failures and is_read and int(arguments[1]) > 300:
            self.failures -= 1
            raise UnreachableError("the store is away")
        return super().script(text, *arguments, **options)


def read_in_small_pieces(copy: AttemptCopy, start: int, length: int = 100) -> bytes:
    return copy._store.script(attempt_copy._READ, copy._path, str(start), str(length))


def test_threads_end_with_the_view(tmp_path: Path) -> None:
    cluster = running(tmp_path, numbered(100), {99})
    store = cast(FakeStore, Shell(tmp_path))
    events = cast(
        Generator[Any], logs.follow(reader(cluster, store), LogQuery(Id(number=14)))
    )
    before = set(threading.enumerate())
    while not isinstance(next(events), Chunk):
        pass
    started = set(threading.enumerate()) - before
    readers = [thread for thread in started if thread.name == "riseml-log-pod-1"]
    assert readers
    events.close()
    for thread in readers:
        thread.join(timeout=20)
        assert not thread.is_alive()
