"""Search that stops experiments early, as a user with a key on the cluster of KUBECONFIG."""

from pathlib import Path

import pytest

from riseml.engines.argo.engine import ArgoEngine
from riseml.ids import Id
from riseml.metrics import hparams
from riseml.status import State
from tests.cluster.user_namespace import IMAGE
from tests.contract import cluster
from tests.contract.bench import Bench

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(400),
    pytest.mark.xdist_group("search"),
]

NAMESPACE = "riseml-search"
# It knows nothing of RiseML, and saves on TERM.
PROGRAM = """
import os, signal, sys, time
def save(*_):
    time.sleep(0.5)
    open(os.path.join(os.environ["OUTPUT_DIR"], "checkpoint"), "w").close()
    sys.exit(1)
signal.signal(signal.SIGTERM, save)
for epoch in range(1, 28):
    print("epoch", epoch, "loss", float(os.environ["LR"]) + 1 / epoch)
    time.sleep(0.7)
"""
TRAIN = """
parameters: {lr: [1, 2, 3, 4]}
concurrency: 4
search: {method: asha, metric: loss, mode: min, max_resource: 27, min_resource: 3}
run: python3 train.py
"""


def test_asha_stops_the_worse_experiments(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    engine = cluster.engine(tmp_path / "home", NAMESPACE)
    assert isinstance(engine, ArgoEngine)
    bench = Bench(engine, folder, IMAGE, 300.0, project="searched")
    bench.write({"train.py": PROGRAM})
    run = bench.run(TRAIN)
    assert run.state is State.FINISHED
    best, *_, worst = run.experiments
    assert best.reason == "COMPLETED"
    assert worst.is_early
    early = [experiment for experiment in run.experiments if experiment.is_early]
    assert len(early) >= 2
    assert early[0].message.startswith("at step ")
    output = f"{engine.user}/searched/{run.id}"
    script = 'cd "/output/$1"; ls rungs/3; ls -d */checkpoint; ls 1 4; cat rungs/9/1'
    listed = engine.store.script(script, output).decode().split()
    assert listed[:4] == ["1", "2", "3", "4"]
    assert [f"{experiment.sub}/checkpoint" for experiment in early] == [
        name for name in listed if name.endswith("/checkpoint")
    ]
    assert listed.count(hparams.START_FILE) == 2
    assert listed.count(hparams.END_FILE) == 2
    assert float(listed[-1]) == pytest.approx(1 + 1 / 9)
    log = bench.log(Id(number=run.number, sub=worst.sub))
    assert f"riseml: stopped early {worst.message}" in log
