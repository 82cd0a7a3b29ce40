"""Report about a set on the cluster of KUBECONFIG, also once only the archive is left of it."""

import base64
import itertools
import json
import re
from array import array
from pathlib import Path
from typing import Any

import pytest

from riseml import labels
from riseml.client.client import Client
from riseml.cluster.api import path
from riseml.engines.argo.engine import ArgoEngine
from riseml.status import State
from tests.cluster.user_namespace import IMAGE, wait_until
from tests.contract import cluster
from tests.contract.bench import Bench

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(400),
    pytest.mark.xdist_group("report"),
]

NAMESPACE = "riseml-report"
WORKFLOWS = "/apis/argoproj.io/v1alpha1/namespaces/riseml-report/workflows"
EPOCHS = range(1, 8)
# One metric is reported, and the other one only printed.
PROGRAM = """
import os, riseml, time
lr = float(os.environ["LR"])
for epoch in range(1, 8):
    riseml.report_result(step=epoch, acc=epoch * lr)
    print("epoch", epoch, "loss:", lr / epoch)
    time.sleep(1)
"""
TRAIN = """
parameters: {lr: [0.5, 0.25]}
concurrency: 2
results: {loss: min, acc: max}
run: python3 train.py
"""


def drawn(page: str) -> dict[str, Any]:
    """Return the figures of curves in a page, by metric."""
    data = re.search(r'<script[^>]* id="data"[^>]*>(.*?)</script>', page, re.DOTALL)
    assert data
    return {figure["name"]: figure for figure in json.loads(data[1])["curves"]}


def numbers(encoded: dict[str, str]) -> list[float]:
    assert encoded["dtype"] == "f4"
    return array("f", base64.b64decode(encoded["bdata"])).tolist()


def test_curves_outlive_workflows_and_pods(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    engine = cluster.engine(tmp_path / "home", NAMESPACE)
    assert isinstance(engine, ArgoEngine)
    bench = Bench(engine, folder, IMAGE, 300.0, project="reported")
    bench.write({"train.py": PROGRAM})
    run = bench.run(TRAIN)
    assert run.state is State.FINISHED
    curves = drawn(Client(engine=engine).report(run.id))
    assert curves.keys() == {"loss", "acc"}
    for index, rate in enumerate((0.5, 0.25)):
        reported, printed = (curves[name]["curves"][index] for name in ("acc", "loss"))
        assert reported["name"] == f"{run.id}.{index + 1}"
        assert numbers(reported["y"]) == [epoch * rate for epoch in EPOCHS]
        losses = [rate / epoch for epoch in EPOCHS]
        assert numbers(printed["y"]) == pytest.approx(losses)
        for curve in (reported, printed):
            # Each epoch takes a second, and the log of a pod has a time every five.
            assert (curve["x0"], curve["dx"]) == (1, 1)
            times = numbers(curve["times"])
            assert times == sorted(times)
            assert times[-1] - times[0] > 0.5
        times = numbers(reported["times"])
        gaps = [later - time for time, later in itertools.pairwise(times)]
        assert min(gaps) >= 0.9

    administrator = cluster.administrator()
    for document in list(administrator.items(WORKFLOWS)):
        if document["metadata"]["labels"].get(labels.PROJECT) == "reported":
            administrator.delete(f"{WORKFLOWS}/{document['metadata']['name']}")
    pods = path("pods", NAMESPACE)
    selector = f"{labels.PROJECT}=reported"
    wait_until(
        lambda: not list(administrator.items(pods, labelSelector=selector)),
        120,
        "the pods to go",
    )
    # A new home has read no file of the run before.
    reader = cluster.engine(tmp_path / "other-home", NAMESPACE)
    assert drawn(Client(engine=reader).report(run.id)) == curves
