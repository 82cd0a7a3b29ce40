"""HPARAMS tab of a real TensorBoard: the parameters of programs that know nothing of it."""

import http.client
import json
import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from riseml.client.client import Client
from tests.frameworks.environments import prepare
from tests.local.conftest import Lab
from tests.unit.metrics import event_files

pytestmark = [pytest.mark.frameworks, pytest.mark.timeout(300)]
PROGRAM = """
import json, os, sys
folder = os.path.join(os.environ["OUTPUT_DIR"], "train")
os.makedirs(folder)
with open(os.path.join(folder, "events.out.tfevents.1764316800.host"), "wb") as events:
    for text in json.load(open("events.json")):
        events.write(bytes.fromhex(text))
sys.exit(os.environ["LR"] == "0.2")
"""
TRAIN = """
parameters: {lr: [0.1, 0.2], hidden: [16, 100000000000000001], opt: adam, aug: true}
concurrency: 4
run: python3 train.py
"""
SESSIONS = {
    "experimentName": "",
    "allowedStatuses": [
        "STATUS_UNKNOWN",
        "STATUS_SUCCESS",
        "STATUS_FAILURE",
        "STATUS_RUNNING",
    ],
    "colParams": [],
    "startIndex": 0,
    "sliceSize": 1000,
}


def post(url: str, request: str, body: dict[str, Any]) -> Any:
    """Return what the plugin answers; None if it does not answer yet."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=60)
    try:
        connection.request(
            "POST",
            f"/data/plugin/hparams/{request}",
            json.dumps(body),
            {"Content-Type": "application/json"},
        )
        answer = connection.getresponse()
        return json.loads(answer.read()) if answer.status == http.client.OK else None
    except OSError:
        return None
    finally:
        connection.close()


def rows(url: str) -> dict[str, Any]:
    """Return the rows of the table by name."""
    answer = post(url, "session_groups", SESSIONS) or {}
    return {row["name"]: row for row in answer.get("sessionGroups", ())}


@pytest.fixture(autouse=True)
def path(monkeypatch: pytest.MonkeyPatch) -> None:
    tools = prepare("tensorflow") / "bin"
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr("riseml.client.tensorboard._PATIENCE_SECONDS", 240.0)


@contextmanager
def with_python_loader(folder: Path) -> Iterator[str]:
    """Run a TensorBoard that reads the files itself, without its data server."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = ["tensorboard", "--logdir", str(folder), "--load_fast=false"]
    process = subprocess.Popen(
        [*command, "--port", str(port), "--reload_interval", "1"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def check(lab: Lab, url: str) -> None:
    lab.until(lambda: len(rows(url)) == 4, "a row for each experiment")
    lab.until(
        lambda: (post(url, "experiment", {"experimentName": ""}) or {}).get(
            "metricInfos"
        ),
        "the metric",
    )
    experiment = post(url, "experiment", {"experimentName": ""})
    kinds = {info["name"]: info["type"] for info in experiment["hparamInfos"]}
    assert kinds == {
        "lr": "DATA_TYPE_FLOAT64",
        "hidden": "DATA_TYPE_STRING",
        "opt": "DATA_TYPE_STRING",
        "aug": "DATA_TYPE_BOOL",
    }
    names = [info["name"] for info in experiment["metricInfos"]]
    assert names == [{"group": "train", "tag": "loss"}]
    found = rows(url)
    assert set(found) == {"1.1", "1.2", "1.3", "1.4"}
    assert found["1.2"]["hparams"] == {
        "lr": 0.1,
        "hidden": "100000000000000001",
        "opt": "adam",
        "aug": True,
    }
    states = {name: row["sessions"][0]["status"] for name, row in found.items()}
    assert states == {
        "1.1": "STATUS_SUCCESS",
        "1.2": "STATUS_SUCCESS",
        "1.3": "STATUS_FAILURE",
        "1.4": "STATUS_FAILURE",
    }
    (metric,) = found["1.1"]["metricValues"]
    assert metric["value"] == 0.25
    assert metric["trainingStep"] == 3


def test_the_tab_has_the_parameters_states_and_metrics(lab: Lab) -> None:
    values = [event_files.simple("loss", value) for value in (1.0, 0.5, 0.25)]
    events = [event_files.event(step, value) for step, value in enumerate(values, 1)]
    records = [data.hex() for data in (event_files.VERSION, *events)]
    lab.write({"train.py": PROGRAM, "events.json": json.dumps(records)})
    lab.run(TRAIN)
    with Client(engine=lab.engine).tensorboard("1") as tensorboard:
        check(lab, tensorboard.url)
    with with_python_loader(lab.output(1)) as url:
        check(lab, url)
