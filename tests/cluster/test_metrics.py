"""Metrics of an unmodified program on the cluster of KUBECONFIG: during the run, after it, and without its Workflow."""

import json
from pathlib import Path

import pytest

from riseml.cluster.api import path
from riseml.engines.argo.engine import ArgoEngine
from riseml.ids import Id
from riseml.status import State
from tests.cluster.user_namespace import IMAGE
from tests.contract import cluster
from tests.contract.bench import Bench
from tests.unit.metrics import event_files as write

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(300),
    pytest.mark.xdist_group("metrics"),
]

NAMESPACE = "riseml-metrics"
PROGRAM = """
import json, os, time
os.makedirs("runs")
with open("runs/events.out.tfevents.1.host", "wb") as events:
    for text in json.load(open("events.json")):
        events.write(bytes.fromhex(text))
for step in (1, 2, 3):
    print("epoch", step, "val_loss:", abs(step - 2) + 0.5)
while not os.path.exists(os.environ["OUTPUT_DIR"] + "/go"):
    time.sleep(0.1)
print("epoch 4 val_loss: 9")
"""


def test_metrics_during_and_after_a_run(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    engine = cluster.engine(tmp_path / "home", NAMESPACE)
    assert isinstance(engine, ArgoEngine)
    bench = Bench(engine, folder, IMAGE, 200.0, project="measured")
    records = [write.VERSION]
    for step, value in enumerate((0.25, 0.75, 0.5)):
        records.append(write.event(step, write.simple("val/acc", value)))
    events = json.dumps([data.hex() for data in records])
    bench.write({"train.py": PROGRAM, "events.json": events})
    number = bench.train(
        "results: {val_loss: min, val_acc: max}\nrun: python3 train.py"
    ).number
    run_id = Id(number=number)
    bench.until(lambda: engine.read(run_id).result == {"val_loss": 0.5}, "live metrics")
    output = f"{engine.user}/measured/{number}"
    engine.store.script('touch "/output/$1/go"', output)
    bench.wait(number)
    run = engine.read(run_id)
    assert run.state is State.FINISHED
    expected = {"val_loss": 0.5, "val_acc": 0.75}
    assert run.result == expected
    bench.until(lambda: archived(engine, output), "the archive")
    engine.api.delete(path("workflows", NAMESPACE, run.name))
    without = engine.read(run_id)
    assert without.result == expected
    measured = without.experiments[0].measured or {}
    assert measured["val_loss"] == {
        "best": 0.5,
        "best_step": 2,
        "last": 9.0,
        "last_step": 4,
        "source": ".riseml/logs/train.0.log",
    }
    assert measured["val_acc"]["source"] == "workdir/runs/events.out.tfevents.1.host"


def archived(engine: ArgoEngine, output: str) -> bool:
    engine.read(Id(number=int(output.rpartition("/")[2])))
    script = '[ ! -e "/output/$1/run.json" ] || echo yes'
    return engine.store.script(script, output) == b"yes\n"
