"""Metrics of programs that know nothing of RiseML, during and after their runs."""

import json
from pathlib import Path
from typing import Any

import pytest

from riseml.client.client import Client
from riseml.engines.local import protocol
from riseml.ids import Id
from riseml.status import SetStatus, State
from tests.local.conftest import Lab
from tests.unit.metrics import event_files as write

# Waits for a file of the test at the end, so that the run can be examined before.
PROGRAM = """
import json, os, sys, time

scale = float(os.environ["SCALE"])
os.makedirs("runs")
events = open("runs/events.out.tfevents.1.host", "ab")
records = [bytes.fromhex(text) for text in json.load(open("events.json"))[os.environ["SCALE"]]]
events.write(records[0])
table = open(os.path.join(os.environ["OUTPUT_DIR"], "metrics.csv"), "w")
table.write("step,acc\\n")
for step in (1, 2, 3):
    sys.stdout.write("\\b" * 9 + "\\r1/2 - loss: 0.001")
    print("\\b" * 9 + "\\r2/2 - loss:", step * scale, flush=True)
    events.write(records[step])
    table.write(f"{step},{step / 10}\\n")
events.flush()
table.flush()
while not os.path.exists(os.environ["GO"]):
    time.sleep(0.02)
sys.stdout.write("loss: 7")
"""
TRAIN = """
resources: {cpus: 0.1, mem: 1}
parameters: {scale: [1, 2]}
concurrency: 2
results: {val_loss: min, acc: max, loss: min, missing: max}
run: python3 -u train.py
"""


def results(run: SetStatus) -> list[Any]:
    return [experiment.result for experiment in run.experiments]


@pytest.fixture
def environment(lab: Lab, tmp_path: Path) -> dict[str, str]:
    records = {}
    for scale in (1, 2):
        values = [write.simple("val/loss", abs(step - 2) + scale) for step in (1, 2, 3)]
        events = [write.event(step, value) for step, value in enumerate(values, 1)]
        records[scale] = [data.hex() for data in (write.VERSION, *events)]
    lab.write({"train.py": PROGRAM, "events.json": json.dumps(records)})
    return {"GO": str(tmp_path / "go")}


EXPECTED = [
    {"val_loss": 1.0, "acc": 0.3, "loss": 1.0},
    {"val_loss": 2.0, "acc": 0.3, "loss": 2.0},
]


def test_metrics_are_there_during_and_after_a_run(
    lab: Lab, environment: dict[str, str], tmp_path: Path
) -> None:
    number = lab.train(TRAIN, **environment).number
    run_id = Id(number=number)
    lab.until(lambda: results(lab.engine.read(run_id)) == EXPECTED, "metrics")
    (tmp_path / "go").touch()
    lab.wait(number)
    run = lab.engine.read(run_id)
    assert run.state is State.FINISHED
    assert results(run) == EXPECTED
    measured = run.experiments[1].measured
    assert measured == {
        "val_loss": {
            "best": 2.0,
            "best_step": 2,
            "last": 3.0,
            "last_step": 3,
            "source": "workdir/runs/events.out.tfevents.1.host",
        },
        "acc": {
            "best": 0.3,
            "best_step": 3,
            "last": 0.3,
            "last_step": 3,
            "source": "metrics.csv",
        },
        "loss": {"best": 2.0, "last": 7.0, "source": ".riseml/logs/train.0.log"},
    }
    table = Client(engine=lab.engine).results(str(number))
    assert (table.metric, table.best, table.largest) == (
        "val_loss",
        f"{number}.1",
        False,
    )
    assert table.metrics == ("val_loss", "acc", "loss")
    # Lists and the record of the run agree, also without the controller.
    protocol.stop_controller(lab.engine.home)
    (listed,) = Client(engine=lab.engine).runs(all=True, experiments=True)
    assert results(listed) == EXPECTED
    cache = lab.output(number, 1) / ".riseml/metrics.json"
    assert json.loads(cache.read_text())["is_complete"] is True
    for damaged in ("", "{", "[]", '{"format": 1}', json.dumps({"files": {"a": 1}})):
        cache.write_text(damaged)
        assert results(lab.engine.read(run_id)) == EXPECTED


def test_the_complete_state_of_an_ended_run_is_not_read_again(lab: Lab) -> None:
    run = lab.run("results: {loss: min}\nrun: echo loss=0.5")
    assert run.result == {"loss": 0.5}
    log = lab.output(1) / ".riseml/logs/train.0.log"
    log.write_text("loss=0.1\n")
    assert lab.engine.read(Id(number=1)).result == {"loss": 0.5}
    (lab.output(1) / ".riseml/metrics.json").unlink()
    assert lab.engine.read(Id(number=1)).result == {"loss": 0.1}


def test_the_metrics_of_a_failed_attempt_do_not_count(lab: Lab) -> None:
    script = """
    if [ ! -e "$OUTPUT_DIR/second" ]; then
      echo loss=0.1
      printf 'step,acc\\n1,0.9\\n' > metrics.csv
      printf 'step,auc\\n1,0.9\\n' > "$OUTPUT_DIR/results.csv"
      touch "$OUTPUT_DIR/second"; exit 1
    fi
    echo loss=0.5
    """
    lab.write({"fit.sh": script})
    run = lab.run(
        "results: {loss: min, acc: max, auc: max}\nretries: 1\nrun: sh fit.sh"
    )
    assert run.state is State.FINISHED
    assert run.result == {"loss": 0.5}


def test_reported_values_take_precedence(lab: Lab) -> None:
    script = "import riseml\nriseml.report_result(loss=0.25, f1=1)\nprint('loss=0.5 acc=3')\n"
    lab.write({"fit.py": script})
    run = lab.run("results: {loss: min, acc: max}\nrun: python3 fit.py")
    assert run.result == {"loss": 0.25, "acc": 3.0, "f1": 1}
    assert run.experiments[0].measured is not None
    assert run.experiments[0].measured["loss"]["best"] == 0.5


def test_the_log_suggests_metrics_where_none_are_named(lab: Lab) -> None:
    lab.run("run: 'echo \"step 3 train loss 0.5, val loss 0.7, lr 0.1\"'")
    table = Client(engine=lab.engine).results("1")
    assert (table.metrics, table.best) == ((), None)
    assert table.suggested == ("val_loss", "train_loss")
