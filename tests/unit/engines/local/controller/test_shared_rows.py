"""Rows of a run that has several Workflows, and when it may get another one."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from riseml.engines import Growth
from riseml.engines.local import shard_keys
from riseml.engines.local.controller import (
    growth,
    lost_database,
    recorded_status,
    shared_rows,
)
from riseml.engines.local.interpreter.node import COLUMNS
from riseml.engines.local.serialize import experiment_to_json
from riseml.engines.local.store import Store
from riseml.errors import ChangedMeanwhileError, NotFoundError
from riseml.plan import Experiment, ExperimentSet
from riseml.status import (
    ExperimentStatus,
    JobStatus,
    SetStatus,
    ShardStatus,
    State,
    set_state,
)
from riseml.status.data import encode, to_data
from tests.unit.plans import grid


def experiment(sub: int, state: State, shard: int = 1) -> ExperimentStatus:
    job = JobStatus(f"14.{sub}.train", "train", state=state, node_id="node")
    return ExperimentStatus(f"14.{sub}", sub, state, jobs=(job,), shard=shard)


def run_of(*experiments: ExperimentStatus, shard: int = 1) -> SetStatus:
    shards = (ShardStatus(shard, f"net-14-s{shard}", is_added=shard > 1),)
    counts: dict[State, int] = {}
    for one in experiments:
        counts[one.state] = counts.get(one.state, 0) + 1
    return SetStatus(
        "14",
        name="net-14",
        user="me",
        project="net",
        number=14,
        is_set=True,
        state=set_state(counts),
        counts=counts,
        experiments=experiments,
        shards=shards if shard > 1 else (),
    )


def add(store: Store, key: int, run: SetStatus, *, ended: bool = True) -> None:
    store.add_run(
        number=key,
        name=f"net{key}",
        user="me",
        project="net",
        is_set=1,
        concurrency=1,
        state=run.state,
        counts=json.dumps(run.counts),
        created=1.0,
        ended=int(ended),
        status=json.dumps(to_data(run), default=encode) if ended else "{}",
        document="{}",
        environment="{}",
    )


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Return the database of a home with run 14: the first has finished, the second failed."""
    opened = Store.create(tmp_path, COLUMNS)
    run = run_of(experiment(1, State.FINISHED), experiment(2, State.FAILED))
    with opened.transaction():
        add(opened, 14, run)
        rows = [(one.sub or 1, experiment_to_json(one)) for one in run.experiments]
        opened.put_experiments(14, rows)
    return opened


def recorded(store: Store) -> list[tuple[str, int]]:
    return [(row["state"], row["shard"]) for row in store.experiments(14)]


def put(store: Store, *changed: ExperimentStatus) -> Any:
    with store.transaction():
        shared_rows.put(store, 14, changed)
    return store.summary(14)


def test_a_later_workflow_decides_how_an_experiment_is(store: Store) -> None:
    key = shard_keys.key_of(14, 2)
    with store.transaction():
        add(store, key, run_of(), ended=False)
    row = put(store, experiment(2, State.RUNNING, shard=2))
    assert recorded(store) == [("FINISHED", 1), ("RUNNING", 2)]
    assert (row["state"], json.loads(row["counts"]), row["ended"]) == (
        "RUNNING",
        {"FINISHED": 1, "RUNNING": 1},
        0,
    )
    assert (store.unfinished(), store.unfinished_keys()) == ([14], [key])
    assert [row["number"] for row in store.runs(ended=False)] == [14]
    # What the first Workflow says again does not count.
    assert put(store, experiment(2, State.FAILED))["state"] == "RUNNING"
    row = put(
        store, experiment(2, State.FINISHED, shard=2), experiment(3, State.FAILED)
    )
    assert (row["state"], json.loads(row["counts"])) == (
        "FAILED",
        {"FINISHED": 2, "FAILED": 1},
    )


def test_a_run_is_read_from_all_its_workflows(store: Store) -> None:
    key = shard_keys.key_of(14, 2)
    repeated = run_of(experiment(2, State.FINISHED, shard=2), shard=2)
    with store.transaction():
        add(store, key, repeated)
    assert store.shards(14) == [key]
    run = recorded_status.read(store, (14, key))
    assert [one.state for one in run.experiments] == [State.FINISHED] * 2
    (job,) = run.experiments[1].jobs
    assert [attempt.state for attempt in job.attempts] == [
        State.FAILED,
        State.FINISHED,
    ]
    with store.transaction():
        store.delete_run(14)
    assert (store.numbers(), store.shards(14)) == (set(), [])


def test_a_damaged_workflow_leaves_the_run_as_it_was(store: Store) -> None:
    key = shard_keys.key_of(14, 2)
    with store.transaction():
        add(store, key, run_of(), ended=False)
    put(store, experiment(2, State.RUNNING, shard=2))
    with store.transaction():
        store.delete_workflow(key)
        shared_rows.write_again(store, 14)
    assert recorded(store) == [("FINISHED", 1), ("FAILED", 1)]
    assert store.summary(14)["state"] == "FAILED"  # type: ignore[index]


def plan(*subs: int) -> ExperimentSet:
    experiments = tuple(Experiment(sub, {"lr": "0.1"}) for sub in subs)
    return grid({"lr": "0.1"}, experiments=experiments)


def test_a_run_grows_by_the_shard_after_the_last_one(store: Store) -> None:
    assert growth.key(store, plan(2, 3), Growth(14, 2)) == shard_keys.key_of(14, 2)
    for shard in (1, 3):
        with pytest.raises(ChangedMeanwhileError, match="another command has"):
            growth.key(store, plan(2), Growth(14, shard))
    with pytest.raises(NotFoundError):
        growth.key(store, plan(2), Growth(15, 2))


def test_only_what_has_ended_without_finishing_is_repeated(store: Store) -> None:
    with pytest.raises(ChangedMeanwhileError):
        growth.key(store, plan(1), Growth(14, 2))
    put(store, experiment(2, State.RUNNING, shard=2))
    with pytest.raises(ChangedMeanwhileError):
        growth.key(store, plan(2), Growth(14, 2))


def test_the_shards_of_a_rebuilt_run_count(store: Store) -> None:
    run = run_of(experiment(1, State.FAILED, shard=5), shard=5)
    with store.transaction():
        store.delete_run(14)
        add(store, 14, run)
    assert growth.key(store, plan(1), Growth(14, 6)) == shard_keys.key_of(14, 6)


def test_the_end_of_one_workflow_in_run_json_leaves_the_others(
    store: Store, tmp_path: Path
) -> None:
    """The database has lost that the second Workflow ended; the third one still runs."""
    second, third = shard_keys.key_of(14, 2), shard_keys.key_of(14, 3)
    with store.transaction():
        add(store, second, run_of(), ended=False)
        add(store, third, run_of(), ended=False)
    put(store, experiment(2, State.RUNNING, shard=2))
    put(store, experiment(3, State.RUNNING, shard=3))
    repeated = experiment(2, State.FINISHED, shard=2)
    names = [ShardStatus(1, "net14"), ShardStatus(2, f"net{second}", is_added=True)]
    record = run_of(experiment(1, State.FINISHED), repeated)
    record = replace(record, shards=tuple(names))
    folder = tmp_path / "output" / "me" / "net" / "14"
    folder.mkdir(parents=True)
    data = json.dumps(to_data(record), default=encode)
    (folder / "run.json").write_text(data)
    (tmp_path / "runs" / str(third)).mkdir(parents=True)
    lost_database.end_ended(store, tmp_path)
    assert store.unfinished_keys() == [third]
    assert recorded(store) == [("FINISHED", 1), ("FINISHED", 2), ("RUNNING", 3)]
    final = store.final_status(second)
    assert [one["id"] for one in final["experiments"]] == ["14.2"]
