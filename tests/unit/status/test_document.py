"""Status of unusual documents: new, single, large, broken, or not a document at all."""

import base64
import copy
import gzip
import json
import random
import subprocess
import sys
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from riseml import status
from riseml.plan import Resources
from riseml.status import State
from tests.unit.documents import first, made
from tests.unit.recordings import NAMES, document


def test_a_document_that_no_engine_has_seen() -> None:
    run = made(items=2)
    del run["status"]
    run_status = status.read(run)
    assert (run_status.id, run_status.state, run_status.counts) == (
        "14",
        State.CREATED,
        {State.CREATED: 2},
    )
    assert [(e.id, e.sub, e.parameters, e.reason) for e in run_status.experiments] == [
        ("14.1", 1, {"lr": "1e-0"}, ""),
        ("14.2", 2, {"lr": "1e-1"}, ""),
    ]
    assert [job.id for job in run_status.experiments[1].jobs] == ["14.2.train"]


def test_a_run_has_the_values_of_its_document() -> None:
    container = {
        "image": "python:3",
        "args": [
            "script",
            "riseml",
            "fit --lr {{inputs.parameters.lr}}",
            "echo $$(date)",
        ],
        "resources": {
            "requests": {"cpu": "500m", "memory": "4Gi"},
            "limits": {"nvidia.com/gpu": "2"},
        },
    }
    run_status = status.read(
        made({"phase": "Running"}, template={"container": container})
    )
    assert (
        run_status.user,
        run_status.project,
        run_status.number,
        run_status.name,
    ) == (
        "me",
        "net",
        14,
        "net-14",
    )
    assert (run_status.concurrency, run_status.image, run_status.run) == (
        2,
        "python:3",
        ("fit --lr {{lr}}", "echo $(date)"),
    )
    assert run_status.experiments[0].jobs[0].resources == Resources(
        Decimal("0.5"), 4 * 2**30, 2
    )


def test_a_single_experiment_has_no_number_in_its_set() -> None:
    run = made(
        {
            "phase": "Succeeded",
            "outputs": {"parameters": [{"name": "result", "value": '{"a": 1}'}]},
        }
    )
    run["metadata"]["labels"]["riseml.io/kind"] = "experiment"
    run_status = status.read(run)
    (experiment,) = run_status.experiments
    assert (
        run_status.is_set,
        experiment.id,
        experiment.sub,
        experiment.jobs[0].id,
    ) == (
        False,
        "14",
        None,
        "14.train",
    )
    assert run_status.result == {"a": 1}


def test_a_document_without_a_number_is_called_by_its_name() -> None:
    run = made(items=1)
    del run["metadata"]["labels"]["riseml.io/number"]
    assert status.read(run).id == "net-14"
    del run["metadata"]["name"]
    run["metadata"]["generateName"] = "net-"
    assert status.read(run).id == "net"


def test_compressed_nodes_are_read() -> None:
    run = made({"phase": "Succeeded", "code": 0}, phase="Succeeded")
    nodes = run["status"].pop("nodes")
    run["status"]["compressedNodes"] = base64.b64encode(
        gzip.compress(json.dumps(nodes).encode())
    ).decode()
    assert first(run).exit_code == 0
    run["status"]["compressedNodes"] = "no gzip"
    assert first(run).state == State.FINISHED


@pytest.mark.parametrize(
    ("phase", "state"),
    [("Succeeded", State.FINISHED), ("Failed", State.FAILED), ("Error", State.FAILED)],
)
def test_a_run_with_offloaded_nodes_has_the_state_of_its_document(
    phase: str, state: State
) -> None:
    run = made(items=2, phase=phase, message="why")
    run["status"]["nodes"] = {}
    assert [experiment.state for experiment in status.read(run).experiments] == [
        state,
        state,
    ]


def test_a_job_that_was_running_at_the_end_of_its_run_has_failed() -> None:
    run = made({"phase": "Running"}, phase="Error", message="controller lost its mind")
    experiment = first(run)
    assert (experiment.state, experiment.reason) == (State.FAILED, "PLATFORM")
    assert experiment.message == "controller lost its mind"


NONSENSE: tuple[Any, ...] = (
    None,
    7,
    -1.5,
    True,
    "",
    "?",
    [],
    {},
    [None],
    {"": None},
    ["a"],
    {"name": "x"},
    "2026-99-99T00:00:00Z",
    "9" * 5000,
    "1e999999999",
)


@pytest.mark.parametrize("name", NAMES)
def test_a_broken_document_never_fails(name: str) -> None:
    chance = random.Random(name)
    for _ in range(100):
        broken = copy.deepcopy(document(name))
        for _ in range(chance.randint(1, 6)):
            _break(broken, chance)
        run_status = status.read(broken)
        assert run_status.state in State


def _break(value: Any, chance: random.Random) -> None:
    """Replace or remove one value at a random position."""
    while True:
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        if not keys:
            return
        key = chance.choice(keys)
        if isinstance(value[key], dict | list) and value[key] and chance.random() < 0.8:
            value = value[key]
        elif isinstance(value, dict) and chance.random() < 0.5:
            del value[key]
            return
        else:
            value[key] = chance.choice(NONSENSE)
            return


@pytest.mark.parametrize(
    "value", [None, [], "x", 3, {}, {"metadata": 1, "spec": [], "status": ""}]
)
def test_other_data_reads_as_an_empty_document(value: Any) -> None:
    assert status.read(value).state in State


def test_reading_imports_no_large_package() -> None:
    code = "import sys, riseml.status; print(*sys.modules)"
    run_status = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    heavy = {
        "json",
        "subprocess",
        "asyncio",
        "hera",
        "kubernetes",
        "pydantic",
        "yaml",
        "typer",
        "rich",
        "gzip",
        "logging",
    }
    assert not heavy & set(run_status.stdout.split())


def test_statuses_are_values() -> None:
    run = status.read(made({"phase": "Running"}))
    assert replace(run) == run
    assert status.read(made({"phase": "Running"})) == run
