"""Queries of a home's database: experiments that are decoded together, and short statuses."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from riseml.engines.local import tables
from riseml.engines.local.controller import (
    final_record,
    recorded_status,
    stored_experiments,
)
from riseml.engines.local.interpreter.node import COLUMNS
from riseml.engines.local.serialize import experiment_to_json
from riseml.engines.local.store import Store
from riseml.errors import DamagedError
from riseml.status import ExperimentStatus, JobStatus, SetStatus, State
from riseml.status.data import encode, to_data

EXPERIMENTS = tuple(
    ExperimentStatus(
        f"1.{sub}",
        sub,
        State.FINISHED,
        {"lr": "0.1"},
        {"accuracy": sub / 4},
        jobs=(JobStatus(f"1.{sub}.train", "train", state=State.FINISHED),),
    )
    for sub in (1, 2, 3)
)
RUN = SetStatus(
    "1",
    "lab-1",
    "me",
    "lab",
    1,
    is_set=True,
    state=State.FINISHED,
    counts={State.FINISHED: 3},
    run=("true",),
    experiments=EXPERIMENTS,
)
BRIEF = [vars(experiment) | {"jobs": ()} for experiment in EXPERIMENTS]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store.create(tmp_path, COLUMNS)
    add_run(store)
    yield store
    store.close()


def add_run(store: Store) -> None:
    with store.transaction():
        store.add_run(
            number=1,
            name="lab-1",
            user="me",
            project="lab",
            is_set=1,
            concurrency=0,
            state=State.FINISHED,
            counts="{}",
            created=0.0,
            ended=1,
            status=json.dumps(to_data(RUN), default=encode),
            document="{}",
            environment="{}",
        )
    write(store, [experiment_to_json(experiment) for experiment in EXPERIMENTS])


def write(store: Store, texts: list[str]) -> None:
    with store.transaction():
        store.put_experiments(1, enumerate(texts, start=1))


def test_experiments_are_decoded_in_their_order(store: Store) -> None:
    assert store.experiments(1) == [
        {
            "id": f"1.{sub}",
            "sub": sub,
            "state": "FINISHED",
            "parameters": {"lr": "0.1"},
            "result": {"accuracy": sub / 4},
            "shard": 1,
        }
        for sub in (1, 2, 3)
    ]
    assert store.experiments(2) == []


@pytest.mark.parametrize("text", ['{"id": "1.2"', "", '{"id": 1}, {"id": 2}'])
def test_a_damaged_experiment_is_named(store: Store, text: str) -> None:
    write(store, ["{}", text])
    with pytest.raises(DamagedError, match="run 1 is damaged: experiment 2 "):
        store.experiments(1)


def test_an_experiment_that_is_no_text_is_named(store: Store) -> None:
    write(store, ["{}", cast(str, b"{")])
    with pytest.raises(DamagedError, match="run 1 is damaged: experiment 2 "):
        store.experiments(1)


def test_a_brief_status_of_an_ended_run_has_no_jobs(store: Store) -> None:
    brief = recorded_status.read(store, [1], brief=True)
    assert [vars(experiment) for experiment in brief.experiments] == BRIEF
    assert vars(brief) | {"experiments": EXPERIMENTS} == vars(RUN)
    assert recorded_status.read(store, [1]) == RUN


@pytest.mark.parametrize("status", ["{", '{"state": NaN}'])
def test_a_status_that_sqlite_cannot_read_is_named(store: Store, status: str) -> None:
    with store.transaction():
        store.update_run(1, status=status)
    with pytest.raises(DamagedError, match="record of run 1 is damaged: the status"):
        recorded_status.read(store, [1], brief=True)


def test_a_status_without_a_number_is_read(store: Store) -> None:
    text = json.dumps(to_data(RUN), default=encode).replace("0.25", "NaN")
    with store.transaction():
        store.update_run(1, status=text)
    brief = recorded_status.read(store, [1], brief=True)
    assert [vars(experiment) for experiment in brief.experiments] == BRIEF


def test_one_experiment_of_such_a_status_is_read(store: Store) -> None:
    text = json.dumps(to_data(RUN), default=encode).replace("0.25", "NaN")
    with store.transaction():
        store.update_run(1, status=text)
    brief = recorded_status.read(store, [1], brief=True, sub=2)
    assert brief.experiments[1] == EXPERIMENTS[1]


def test_the_experiment_with_a_number_has_its_jobs(store: Store) -> None:
    brief = recorded_status.read(store, [1], brief=True, sub=2)
    assert brief.experiments[1] == EXPERIMENTS[1]
    assert [vars(brief.experiments[position]) for position in (0, 2)] == BRIEF[::2]
    # There is no such experiment.
    brief = recorded_status.read(store, [1], brief=True, sub=4)
    assert [vars(experiment) for experiment in brief.experiments] == BRIEF


def test_a_record_in_another_order_is_read_in_full(store: Store) -> None:
    shuffled = to_data(RUN)
    shuffled["experiments"].reverse()
    with store.transaction():
        store.update_run(1, status=json.dumps(shuffled, default=encode))
    brief = recorded_status.read(store, [1], brief=True, sub=1)
    assert brief.experiments == EXPERIMENTS[::-1]


def test_without_its_rows_the_status_is_complete(store: Store) -> None:
    with store.transaction():
        store.rows("DELETE FROM experiments WHERE sub = 2")
    assert recorded_status.read(store, [1], brief=True) == RUN


def test_the_record_has_an_experiment_whose_row_is_damaged(store: Store) -> None:
    write(store, ["{}"])
    with pytest.raises(DamagedError, match="run 1 is damaged: an experiment"):
        stored_experiments.read(store, 1)
    assert recorded_status.read(store, [1], brief=True) == RUN


_SHOW = (
    "import sys; from riseml import cli; print(cli.main(sys.argv[1:]), *sys.modules)"
)


@pytest.mark.parametrize("command", ["status", "results"])
def test_the_table_of_an_ended_set_loads_little(store: Store, command: str) -> None:
    shown = subprocess.run(
        [sys.executable, "-c", _SHOW, command, "1"],
        env={**os.environ, "RISEML_HOME": str(store.path.parent)},
        capture_output=True,
        text=True,
        check=True,
    )
    *_, last = shown.stdout.splitlines()
    status, *modules = last.split()
    assert status == "0", shown.stderr
    unneeded = {
        "riseml.engines.local.controller.brief_status",
        "riseml.engines.local.interpreter",
        "riseml.status.reader",
        "riseml.cli.build_progress",
        "riseml.cli.stream",
        "decimal",
        "socket",
    }
    assert unneeded.isdisjoint(modules), unneeded.intersection(modules)


def put_status(store: Store, run: SetStatus) -> None:
    with store.transaction():
        store.put_status(1, final_record.of_run(run).parts)


def check_record(store: Store) -> None:
    assert store.final_status(1) == json.loads(json.dumps(to_data(RUN), default=encode))
    assert recorded_status.read(store, [1]) == RUN
    brief = recorded_status.read(store, [1], brief=True, sub=2)
    assert brief.experiments[1] == EXPERIMENTS[1]
    assert [vars(brief.experiments[position]) for position in (0, 2)] == BRIEF[::2]


def test_a_status_that_was_written_in_parts_is_read(store: Store) -> None:
    put_status(store, RUN)
    check_record(store)
    put_status(store, SetStatus("1"))
    put_status(store, RUN)
    check_record(store)


def test_an_interruption_of_such_a_status_leaves_the_earlier_one(store: Store) -> None:
    parts = iter([["{", "}"], ["{", "}}"]])
    with pytest.raises(ValueError, match="data longer than blob"), store.transaction():
        store.put_status(1, lambda: next(parts))
    check_record(store)


def test_a_status_in_a_home_of_an_earlier_version_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    column = ", status TEXT NOT NULL DEFAULT '{}'"
    earlier = tables.TABLES.replace(column, "").replace(
        "shutdown TEXT NOT NULL DEFAULT ''",
        f"shutdown TEXT NOT NULL DEFAULT ''{column}",
    )
    assert earlier != tables.TABLES
    monkeypatch.setattr(tables, "TABLES", earlier)
    store = Store.create(tmp_path, COLUMNS)
    add_run(store)
    put_status(store, RUN)
    check_record(store)
    store.close()


def test_no_text_of_the_status_is_in_memory(tmp_path: Path) -> None:
    program = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from riseml.engines.local.interpreter.node import COLUMNS\n"
        "from riseml.engines.local.store import Store\n"
        "store = Store.create(Path(sys.argv[1]), COLUMNS)\n"
        "row = dict.fromkeys(('name', 'user', 'project', 'state', 'counts', 'document', 'environment'), 'x')\n"
        "store.add_run(number=1, is_set=1, concurrency=0, created=0.0, **row)\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "before = peak()\n"
        "with store.transaction():\n"
        "    store.put_status(1, lambda: ('x' * 1000 for _ in range(30_000)))\n"
        "print(store.one('SELECT length(status) FROM runs')[0], peak() - before)\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    length, growth_kib = map(int, output.split())
    assert length == 30_000_000
    assert growth_kib < 10_000
