"""Cost of comparing 10 sets of 1,000 experiments, compared with one set."""

import json
import shutil
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from homes import BEGUN
from measure import compare, environment, verdict

from riseml import labels
from riseml.engines.local.interpreter.node import COLUMNS
from riseml.engines.local.serialize import experiment_to_json
from riseml.engines.local.store import Store
from riseml.status import ExperimentStatus, State

SETS, EXPERIMENTS = 10, 1_000
METRICS = [{"name": "accuracy", "mode": "max", "pattern": ""}]


def home(folder: Path, *, measured: bool) -> Path:
    """Make a home with ended sets; with `measured`, their results are in logs."""
    folder.mkdir(mode=0o700, parents=True)
    store = Store.create(folder, COLUMNS)
    annotations = {labels.METRICS: json.dumps(METRICS)} if measured else {}
    document = json.dumps({"metadata": {"uid": "0", "annotations": annotations}})
    with store.transaction():
        for number in range(1, SETS + 1):
            store.next_number()
            store.add_run(
                number=number,
                name=f"bench-{number}",
                user="me",
                project="bench",
                is_set=True,
                concurrency=1,
                state=State.FINISHED,
                counts=json.dumps({State.FINISHED: EXPERIMENTS}),
                created=BEGUN,
                started=BEGUN,
                finished=BEGUN + 1,
                ended=True,
                document=document,
                environment="{}",
            )
            rows = []
            for sub in range(1, EXPERIMENTS + 1):
                rows.append((sub, _experiment(number, sub, measured=measured)))
                if measured:
                    _write_log(folder, number, sub)
            store.put_experiments(number, rows)
    store.close()
    return folder


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


def main() -> None:
    work = Path(tempfile.mkdtemp())
    try:
        for measured in (False, True):
            source = "logs" if measured else "reports"
            folder = home(work / source, measured=measured)
            one = _command(folder, "1")
            many = _command(folder, *map(str, range(1, SETS + 1)))
            filtered = [*many, "--where", "accuracy > 0.99 and lr < 0.5"]
            names = {
                f"one set, from {source}": one,
                f"{SETS} sets, from {source}": many,
                f"{SETS} sets, filtered, from {source}": filtered,
            }
            base, all_sets, _ = names
            ratios = compare(names, base=base, rounds=5)
            verdict(all_sets, ratios[all_sets], 3)
    finally:
        shutil.rmtree(work)


def _command(folder: Path, *words: str) -> list[str]:
    variables = [f"{name}={value}" for name, value in environment(folder).items()]
    return ["env", *variables, sys.executable, "-m", "riseml", "results", *words]


if __name__ == "__main__":
    main()
