"""Homes with many ended runs, written directly into the database."""

import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lab import GRID
from measure import RISEML, environment

from riseml import labels
from riseml.engines.local.interpreter.node import COLUMNS
from riseml.engines.local.serialize import experiment_to_json
from riseml.engines.local.store import Store
from riseml.status import ExperimentStatus, State

BEGUN = 1_700_000_000.0
METRICS = [{"name": "accuracy", "mode": "max", "pattern": ""}]


def home(folder: Path, count: int) -> Path:
    """Make a home with `count` runs of one experiment each."""
    store = _store(folder)
    document = json.dumps(
        {"metadata": {"uid": "0"}, "spec": {"templates": ["x" * 200] * 15}}
    )
    with store.transaction():
        for number in range(1, count + 1):
            _add_run(store, number, document, experiments=1)
            result = {"accuracy": 1 / number}
            one = ExperimentStatus(str(number), None, State.FINISHED, result=result)
            store.put_experiments(number, [(1, experiment_to_json(one))])
    store.close()
    return folder


def home_of_sets(
    folder: Path, sets: int, experiments: int, *, measured: bool = False
) -> Path:
    """Make a home with sets; with `measured`, their results are in logs."""
    store = _store(folder)
    document = _document(folder, experiments)
    if measured:
        document["metadata"]["annotations"][labels.METRICS] = json.dumps(METRICS)
    with store.transaction():
        for number in range(1, sets + 1):
            document["metadata"]["name"] = f"bench-{number}"
            _add_run(store, number, json.dumps(document), experiments)
            rows = []
            for sub in range(1, experiments + 1):
                rows.append((sub, _experiment(number, sub, measured=measured)))
                if measured:
                    _write_log(folder, number, sub)
            store.put_experiments(number, rows)
    store.close()
    return folder


def _document(folder: Path, experiments: int) -> dict[str, Any]:
    """Return the Workflow of a set, as the compiler writes it."""
    file, workflow = folder / "riseml.yml", folder / "workflow.json"
    text = GRID.format(
        name="bench", count=experiments, cpus=0.1, concurrency=1, run="'true'"
    )
    file.write_text(text)
    compilation = [*RISEML, "compile", "-f", str(file), "--number", "1"]
    subprocess.run(
        [*compilation, "-o", str(workflow)],
        env=environment(folder),
        check=True,
        capture_output=True,
    )
    document: dict[str, Any] = json.loads(workflow.read_text())
    document["metadata"]["uid"] = "0"
    return document


def _store(folder: Path) -> Store:
    folder.mkdir(mode=0o700, parents=True)
    return Store.create(folder, COLUMNS)


def _add_run(store: Store, number: int, document: str, experiments: int) -> None:
    store.next_number()
    begun = BEGUN + number
    store.add_run(
        number=number,
        name=f"bench-{number}",
        user="me",
        project="bench",
        is_set=experiments > 1,
        concurrency=1,
        state=State.FINISHED,
        counts=json.dumps({State.FINISHED: experiments}),
        created=begun,
        started=begun,
        finished=begun + 1,
        ended=True,
        document=document,
        environment="{}",
    )


def _experiment(number: int, sub: int, *, measured: bool) -> str:
    begun = datetime.fromtimestamp(BEGUN, UTC)
    result = {"accuracy": _accuracy(number, sub), "loss": 1 / sub}
    return experiment_to_json(
        ExperimentStatus(
            f"{number}.{sub}",
            sub,
            State.FINISHED,
            {"lr": str(sub / 1_000), "hidden": str(sub)},
            None if measured else result,
            created=begun,
            started=begun,
            finished=begun,
            reason="COMPLETED",
        )
    )


def _accuracy(number: int, sub: int) -> float:
    return (sub * 7919 + number * 104_729) % 100_003 / 100_003


def _write_log(folder: Path, number: int, sub: int) -> None:
    logs = folder / f"output/me/bench/{number}/{sub}/.riseml/logs"
    logs.mkdir(parents=True)
    (logs / "train.0.log").write_text(f"accuracy={_accuracy(number, sub)}\n")
