"""Results that are read from the files in the output volume, through a store."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from riseml.cluster.store import StorePod
from riseml.engines.argo import archive, live_results
from riseml.engines.argo.run_reader import RunReader
from riseml.errors import UnreachableError
from riseml.ids import Id
from riseml.metrics import result_file
from riseml.status import ExperimentStatus, JobStatus, SetStatus, State
from tests.unit.engines.argo.fake_cluster import (
    NAMESPACE,
    FakeCluster,
    reader,
    workflow,
)
from tests.unit.shell_store import Shell

STARTED = datetime(2026, 1, 1, tzinfo=UTC)
LONG = {f"val/ap_class_{number:03d}": 0.123456789 + number for number in range(300)}


class Store(Shell):
    namespace = NAMESPACE


def run(*states: State, attempt: int = 0) -> SetStatus:
    experiments = []
    for sub, state in enumerate(states, 1):
        job = JobStatus(f"14.{sub}.train", "train", state=state, attempt=attempt)
        experiments.append(
            ExperimentStatus(
                f"14.{sub}", sub, state=state, started=STARTED, jobs=(job,)
            )
        )
    return SetStatus(
        "14",
        user="me",
        project="net",
        number=14,
        is_set=True,
        experiments=tuple(experiments),
    )


def write(output: Path, sub: int, text: str, name: str = "results.jsonl") -> Path:
    path = output / f"me/net/14/{sub}/.riseml" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def read(output: Path, run: SetStatus) -> list[Any]:
    completed = live_results.with_results(cast(StorePod, Store(output)), run)
    assert completed is not None
    return [(e.result, e.notes) for e in completed.experiments]


def test_results_are_complete_whether_jobs_run_or_have_ended(tmp_path: Path) -> None:
    for sub in (1, 2, 3):
        write(tmp_path, sub, '{"old": 1}\n' + json.dumps(LONG) + "\n")
    states = (State.RUNNING, State.FINISHED, State.FAILED, State.FINISHED)
    assert read(tmp_path, run(*states)) == [(LONG, ())] * 3 + [(None, ())]


def test_the_end_of_a_long_file_is_read_and_more_if_that_is_not_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(result_file, "TAIL_LIMIT", 200)
    lines = [json.dumps({"step": step}) for step in range(1000)]
    write(tmp_path, 1, "\n".join([*lines, "no json", '{"step": 1000}']) + "\n")
    write(tmp_path, 2, "{'a': 1}\n" + json.dumps(LONG) + "\n")
    (first, notes), (second, _) = read(tmp_path, run(State.FINISHED, State.RUNNING))
    assert first == {"step": 1000}
    assert notes[0].startswith("line 1001 of $RESULT_FILE is not JSON: no json")
    assert second == LONG


def test_a_line_above_the_limit_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(result_file, "LINE_LIMIT", 1000)
    monkeypatch.setattr(result_file, "TAIL_LIMIT", 500)
    write(tmp_path, 1, json.dumps(LONG) + "\n")
    ((result, notes),) = read(tmp_path, run(State.FINISHED))
    assert result is None
    assert "longer than" in notes[0]


def test_the_file_of_an_earlier_attempt_does_not_count(tmp_path: Path) -> None:
    write(tmp_path, 1, '{"only_first": 1}\n')
    retried = run(State.RUNNING, attempt=1)
    assert read(tmp_path, retried) == [(None, ())]
    (tmp_path / "me/net/14/1/.riseml/attempt.1").mkdir()
    write(tmp_path, 1, '{"attempt": 1}\n')
    assert read(tmp_path, retried) == [({"attempt": 1}, ())]


def test_a_damaged_answer_of_the_store_hides_only_what_follows() -> None:
    data = b'9 0 0 me/net/14/1\n{"a": 1}\n50 0 0 me/net/14/2\n{"a"'
    tails = dict(live_results._parse(data))
    assert tails["me/net/14/1"].data == b'{"a": 1}\n'


def ended() -> dict[str, Any]:
    document = workflow(
        {"phase": "Succeeded"},
        version=2,
        phase="Succeeded",
        finishedAt="2026-01-01T00:02:00Z",
    )
    document["metadata"]["labels"]["riseml.io/project"] = "net"
    return document


def test_an_archived_run_keeps_what_its_workflow_lacks(tmp_path: Path) -> None:
    cluster, store = FakeCluster([ended()]), Store(tmp_path)
    runs = reader(cluster, cast(Any, store))
    write(tmp_path, 1, "no\n" + json.dumps(LONG) + "\n")
    first = runs.read(Id(number=14))
    assert first.experiments[0].result == LONG
    assert archive.HAS_MORE in cluster.calls[0]
    cluster.workflows[0]["metadata"]["annotations"] |= {
        archive.ARCHIVED: "yes",
        archive.HAS_MORE: "true",
    }
    # Even the file may be gone now.
    write(tmp_path, 1, "").unlink()
    assert runs.read(Id(number=14)).experiments[0] == first.experiments[0]
    cluster.workflows.clear()
    archived = runs.read(Id(number=14)).experiments[0]
    assert (archived.result, archived.notes) == (LONG, first.experiments[0].notes)


def test_a_run_is_not_archived_without_its_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster, store = FakeCluster([ended()]), Store(tmp_path)
    runs: RunReader = reader(cluster, cast(Any, store))

    def fail(*_: Any) -> None:
        raise UnreachableError("the store is away")

    monkeypatch.setattr(live_results, "_tails", fail)
    assert runs.read(Id(number=14)).state is State.FINISHED
    assert cluster.calls == []
