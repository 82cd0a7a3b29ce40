"""View of a run on the cluster of KUBECONFIG: results and progress appear within seconds."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from riseml.engines.argo.engine import ArgoEngine
from riseml.engines.argo.live import LiveRun
from riseml.ids import Id
from riseml.status import SetStatus, State
from tests.cluster.user_namespace import IMAGE
from tests.contract import cluster
from tests.contract.bench import Bench

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(300),
    pytest.mark.xdist_group("live"),
]

NAMESPACE = "riseml-live"
PROGRAM = """
import os, riseml, time
for step in (1, 2):
    while not os.path.exists(os.environ["OUTPUT_DIR"] + "/go-" + str(step)):
        time.sleep(0.1)
    riseml.report_result(step=step)
    riseml.report_progress(step, 2)
    print("acc: 0.%d" % step)
"""


def until(view: LiveRun, condition: Callable[[SetStatus], object]) -> float:
    """Return how long it took until a condition held."""
    begun = time.monotonic()
    while not condition(run := view.read()):
        assert time.monotonic() - begun < 120, run
        time.sleep(0.1)
    return time.monotonic() - begun


def test_reports_of_a_run_appear_within_seconds(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    engine = cluster.engine(tmp_path / "home", NAMESPACE)
    assert isinstance(engine, ArgoEngine)
    bench = Bench(engine, folder, IMAGE, 200.0, project="live")
    bench.write({"train.py": PROGRAM})
    number = bench.train("results: {acc: max}\nrun: python3 train.py").number
    output = f"{engine.user}/live/{number}"
    view = engine.view(Id(number=number))
    until(view, lambda run: run.state is State.RUNNING)
    engine.store.script('touch "/output/$1/go-1"', output)
    took = until(view, lambda run: run.experiments[0].progress == (1, 2))
    # Argo itself shows progress a minute later.
    assert took < 20
    until(view, lambda run: run.result == {"step": 1, "acc": 0.1})
    engine.store.script('touch "/output/$1/go-2"', output)
    until(view, lambda run: run.state.is_terminal)
    ended = view.read()
    assert ended.result == {"step": 2, "acc": 0.2}
    assert ended == engine.read(Id(number=number))
    view.close()
