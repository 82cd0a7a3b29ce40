"""Logs of a run on a cluster: from its pods, else from the copies in the output volume."""

import base64
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from riseml.engines import Change, Chunk, LogQuery
from riseml.engines.argo import log_reader, logs
from riseml.errors import NotFoundError, UnreachableError
from riseml.ids import Id
from tests.unit.engines.argo.fake_cluster import (
    FakeCluster,
    FakeLog,
    FakeStore,
    missing,
    pod,
    reader,
    workflow,
)
from tests.unit.shell_store import Shell

# A word of the script that prints copies.
COPY = ".times"
RUNNING, FINISHED = {"phase": "Running"}, {"phase": "Succeeded"}


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "_PARTIAL_LINE_SECONDS", 0.01)
    monkeypatch.setattr(logs, "_CHECK_SECONDS", 0.01)
    monkeypatch.setattr(logs, "StoreShell", lambda store: store)
    monkeypatch.setattr(log_reader, "_COPY_SECONDS", 0.01)
    monkeypatch.setattr(log_reader, "_RETRY_SECONDS", 0.01)


def follow(
    cluster: FakeCluster,
    store: FakeStore | None = None,
    sub: int | None = None,
    **query: Any,
) -> list[str]:
    """Return chunks as `job: text`, and changes as `id STATE`."""
    events = []
    log_query = LogQuery(Id(number=14, sub=sub), **query)
    for event in logs.follow(reader(cluster, store), log_query):
        if isinstance(event, Chunk):
            source = "" if event.source == "live" else f" ({event.source})"
            events.append(f"{event.job}{source}: {event.data.decode()}")
        else:
            assert isinstance(event, Change)
            events.append(f"{event.id} {event.state}")
    return events


def ended(*experiments: dict[str, Any]) -> dict[str, Any]:
    return workflow(*experiments, phase="Succeeded", finishedAt="2026-01-01T00:02:00Z")


def write_copy(output: Path, data: bytes) -> Path:
    """Write the copy of the log of the first experiment's job; return its path."""
    copy = output / "me/net/14/1/.riseml/logs/train.0.log"
    copy.parent.mkdir(parents=True)
    copy.write_bytes(data)
    return copy


def test_lines_come_before_the_end_of_their_job() -> None:
    executor = b'time=x level=info msg="sub-process exited" argo=true\n'
    log = FakeLog([b"one\ntw", b"o\n", executor])
    cluster = FakeCluster(
        [ended(FINISHED)], [pod(1, state="terminated")], logs={"pod-1": [log]}
    )
    assert follow(cluster) == [
        "14.1.train: one\n",
        "14.1.train: two\n",
        "14.1.train FINISHED",
        "14.1 FINISHED",
        "14 FINISHED",
    ]


def test_a_run_is_followed_until_it_ends() -> None:
    log = FakeLog([b"one\n"])
    later = ended(FINISHED)
    cluster = FakeCluster(
        [workflow(RUNNING)],
        [pod(1)],
        logs={"pod-1": [log]},
        watched=[("MODIFIED", later)],
    )
    events = follow(cluster)
    assert events.count("14.1.train: one\n") == 1
    assert events.index("14.1.train RUNNING") < events.index("14.1.train FINISHED")
    assert events[-1] == "14 FINISHED"


def test_a_job_without_a_pod_has_its_copy() -> None:
    store = FakeStore({COPY: b"from the copy\n"})
    assert follow(FakeCluster([ended(FINISHED)]), store, follow=False)[:2] == [
        "14.1.train (copy): from the copy\n",
        "14.1.train FINISHED",
    ]
    _, folder, job, tail, since, _ = store.scripts[-1]
    assert (folder, job, tail, since) == ("me/net/14/1", "train", "", "")


@pytest.mark.parametrize("breaks", [1, 2, 3])
def test_what_a_broken_connection_lacks_comes_from_the_copy(
    breaks: int, tmp_path: Path
) -> None:
    """However often it broke before, nothing is repeated."""
    copy = write_copy(tmp_path, b"one\ntwo\n")
    parts = FakeLog([b"one\ntwo\n"], UnreachableError("it broke"))
    cluster = FakeCluster(
        [workflow(RUNNING)],
        [pod(1)],
        logs={"pod-1": [parts] * breaks + [missing("pod")] * 100},
    )
    store = cast(FakeStore, Shell(tmp_path))
    events = logs.follow(reader(cluster, store), LogQuery(Id(number=14)))
    chunks = []
    for event in events:
        if isinstance(event, Chunk):
            chunks.append(event.data)
            if len(chunks) == 1:
                copy.write_bytes(b"one\ntwo\nthree\n")
            else:
                cluster.watched.append(("MODIFIED", ended(FINISHED)))
    assert chunks == [b"one\ntwo\n", b"three\n"]


def test_only_the_last_lines_of_an_ended_job() -> None:
    log = FakeLog([b"1\n2\n", b"3\n4"])
    cluster = FakeCluster(
        [ended(FINISHED)], [pod(1, state="terminated")], logs={"pod-1": [log]}
    )
    assert follow(cluster, tail=2)[:2] == ["14.1.train: 2\n3\n", "14.1.train: 4"]


def test_secrets_are_masked_longest_first() -> None:
    values = {"A": "abc", "B": "abcdef", "EMPTY": ""}
    cluster = FakeCluster(
        [ended(FINISHED)],
        [pod(1, state="terminated")],
        {
            name: base64.b64encode(value.encode()).decode()
            for name, value in values.items()
        },
        {"pod-1": [FakeLog([b"x abcdef abc\n"])]},
    )
    assert follow(cluster)[0] == "14.1.train: x *** ***\n"


def test_one_experiment_of_a_set() -> None:
    cluster = FakeCluster(
        [workflow(FINISHED, RUNNING)],
        [pod(1, state="terminated"), pod(2)],
        logs={"pod-1": [FakeLog([b"one\n"])]},
    )
    assert follow(cluster, sub=1) == [
        "14.1.train: one\n",
        "14.1.train FINISHED",
        "14.1 FINISHED",
    ]


def test_attempts_are_read_one_after_the_other() -> None:
    first, second = pod(1, name="first"), pod(1, name="second")
    second["metadata"]["creationTimestamp"] = "2026-01-01T00:01:00Z"
    cluster = FakeCluster(
        [ended(FINISHED)],
        [second, first],
        logs={"first": [FakeLog([b"one\n"])], "second": [FakeLog([b"two\n"])]},
    )
    assert follow(cluster)[:2] == ["14.1.train: one\n", "14.1.train: two\n"]


def test_a_pod_that_comes_back_with_its_name_has_a_log_of_its_own() -> None:
    """Argo makes a pod again that was deleted with a grace period of 0, in the same attempt."""
    first, second = pod(1), pod(1, state="terminated")
    first["metadata"]["uid"], second["metadata"]["uid"] = "a", "b"
    second["metadata"]["creationTimestamp"] = "2026-01-01T00:01:00Z"
    cluster = FakeCluster(
        [workflow(RUNNING)],
        [first],
        logs={"pod-1": [FakeLog([b"one\n"]), FakeLog([b"two\n"])]},
    )
    written = []
    for event in logs.follow(reader(cluster, FakeStore()), LogQuery(Id(number=14))):
        if isinstance(event, Chunk):
            written.append(event.data)
            if written == [b"one\n"]:
                cluster.pods = [second]
                cluster.watched.append(("MODIFIED", ended(FINISHED)))
    assert written == [b"one\n", b"two\n"]


def test_an_unknown_experiment_is_not_found() -> None:
    with pytest.raises(NotFoundError, match=r"could not find 14\.9"):
        follow(FakeCluster([ended(FINISHED)]), sub=9)


def test_a_failure_to_follow_the_run_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = FakeCluster([workflow(RUNNING)])
    run_reader = reader(cluster)

    def fail(run: Id) -> Any:
        raise UnreachableError("the cluster is away")

    monkeypatch.setattr(run_reader, "follow", fail)
    with pytest.raises(UnreachableError, match="the cluster is away"):
        list(logs.follow(run_reader, LogQuery(Id(number=14))))


def timed(cluster: FakeCluster, store: FakeStore | Shell, **query: Any) -> list[Chunk]:
    """Return the chunks of the run, which have times."""
    log_query = LogQuery(Id(number=14), times=True, **query)
    events = logs.follow(reader(cluster, cast(FakeStore, store)), log_query)
    return [event for event in events if isinstance(event, Chunk)]


def at(second: int) -> datetime:
    return datetime(2026, 1, 1, 0, 0, second, tzinfo=UTC)


def test_times_of_pods_are_those_of_kubernetes() -> None:
    text = b"".join(
        b"2026-01-01T00:00:%02d.000000000Z line %d\n" % (number, number)
        for number in range(3)
    )
    attempts = [("Failed", 1), ("Succeeded", 0)]
    retried = {"phase": "Succeeded", "attempts": attempts}
    earlier, last = pod(1, state="terminated", name="a"), pod(1, state="terminated")
    for document, number in ((earlier, 0), (last, 1)):
        variables = [{"name": "RISEML_ATTEMPT", "value": str(number)}]
        document["spec"]["containers"] = [{"name": "main", "env": variables}]
    for tail, lines in ((None, [0, 1, 2]), (1, [2])):
        cluster = FakeCluster(
            [ended(retried)],
            [earlier, last],
            logs={"a": [FakeLog([text])], "pod-1": [FakeLog([text])]},
        )
        chunks = timed(cluster, FakeStore(), tail=tail)
        assert [(chunk.attempt, chunk.data, chunk.time) for chunk in chunks] == [
            (attempt, b"line %d\n" % number, at(number))
            for attempt in (0, 1)
            for number in lines
        ]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, [(0, b"a\n", 1), (0, b"b\n", 2), (1, b"\nc\n", 3), (1, b"d\n", None)]),
        ({"tail": 1}, [(0, b"b\n", 2), (1, b"d\n", None)]),
        ({"since": at(2)}, [(0, b"b\n", 2), (1, b"\nc\n", 3), (1, b"d\n", None)]),
        ({"since": at(20)}, [(1, b"d\n", None)]),
    ],
)
def test_times_of_copies_are_those_of_their_index(
    query: dict[str, Any],
    expected: list[tuple[int, bytes, int | None]],
    tmp_path: Path,
) -> None:
    folder = tmp_path / "me/net/14/1/.riseml/logs"
    folder.mkdir(parents=True)
    start = int(at(0).timestamp())
    (folder / "train.0.log").write_bytes(b"a\nb\n")
    (folder / "train.0.log.times").write_text(f"{start + 1} 2\n{start + 2} 4\n")
    (folder / "train.1.log").write_bytes(b"\nc\nd\n")
    # The last entry is being written.
    (folder / "train.1.log.times").write_text(f"{start + 3} 3\n{start + 9}")
    chunks = timed(FakeCluster([ended(FINISHED)]), Shell(tmp_path), **query)
    assert [(chunk.attempt, chunk.data, chunk.time) for chunk in chunks] == [
        (attempt, data, at(3 if second is None else second))
        for attempt, data, second in expected
    ]
    assert {chunk.source for chunk in chunks} <= {"copy"}


def test_a_copy_without_an_index_has_no_times(tmp_path: Path) -> None:
    folder = tmp_path / "me/net/14/1/.riseml/logs"
    folder.mkdir(parents=True)
    (folder / "train.0.log").write_bytes(b"a\nb\n")
    (chunk,) = timed(FakeCluster([ended(FINISHED)]), Shell(tmp_path))
    assert (chunk.data, chunk.time) == (b"a\nb\n", None)


def test_secrets_are_masked_in_lines_with_times() -> None:
    text = b"2026-01-01T00:00:01.000000000Z x abc\n2026-01-01T00:00:02.000000000Z ab\n"
    cluster = FakeCluster(
        [ended(FINISHED)],
        [pod(1, state="terminated")],
        secrets={"A": base64.b64encode(b"abc").decode()},
        logs={"pod-1": [FakeLog([text])]},
    )
    chunks = timed(cluster, FakeStore())
    assert [(chunk.data, chunk.time) for chunk in chunks] == [
        (b"x ***\n", at(1)),
        (b"ab\n", at(2)),
    ]
