"""Warnings about what runs of a riseml.yml need and do not have."""

from pathlib import Path

import pytest

from riseml.client.client import Client
from riseml.engines.local.engine import LocalEngine
from riseml.errors import RiseMLError
from tests.cli.fake_engine import FakeEngine


def warnings(client: Client, folder: Path, train: str) -> list[tuple[str, str]]:
    path = folder / "riseml.yml"
    path.write_text(f"project: ab\ntrain: {{run: a, {train}}}\n")
    faults = client.check(path)
    assert {fault.severity for fault in faults} <= {"warning"}
    return [(fault.message, fault.advice) for fault in faults]


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Client:
    monkeypatch.setenv("RISEML_CPUS", "2")
    monkeypatch.setenv("RISEML_MEM", "1000")
    monkeypatch.setenv("RISEML_GPUS", "0")
    return Client(engine=LocalEngine(tmp_path / "home", "me"))


def test_secrets_that_are_not_set_are_named(client: Client, tmp_path: Path) -> None:
    client.set_secret("SET", "x")
    assert warnings(client, tmp_path, "secrets: [SET, KEY]") == [
        ("the secret KEY is not set", "Set it with `riseml secret set KEY`.")
    ]
    client.set_secret("KEY", "y")
    assert warnings(client, tmp_path, "secrets: [SET, KEY]") == []


@pytest.mark.parametrize(
    ("train", "shortage"),
    [
        ("resources: {gpus: 2}", "gpus: 2 requested, this machine has 1"),
        ("resources: {mem: 2G}", "mem: 2000 requested, this machine has 1000"),
        ("resources: {cpus: 2, gpus: 1, mem: 1000}", ""),
        # All jobs of an experiment start together.
        (
            "framework: pytorch, image: x, pytorch: {workers: 3}",
            "cpus: 3 requested, this machine has 2; mem: 1536 requested, this machine has 1000",
        ),
        ("parameters: {a: [1, 2, 3]}, env: {B: '{{a}}'}", ""),
    ],
)
def test_what_this_machine_lacks_is_named(
    train: str, shortage: str, client: Client, tmp_path: Path
) -> None:
    expected = []
    if shortage:
        message = f"no experiment can start on this machine: {shortage}"
        advice = "Request less under `resources`, or run on a cluster."
        expected = [(message, advice)]
    assert warnings(client, tmp_path, train) == expected


class _Unreachable(FakeEngine):
    def secrets(self) -> dict[str, str]:
        raise RiseMLError("no connection")


def test_a_file_is_checked_without_its_cluster(tmp_path: Path) -> None:
    assert warnings(Client(engine=_Unreachable()), tmp_path, "secrets: KEY") == []


def test_a_missing_tensorboard_is_named(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("sys.executable", "/bin/false")
    wants_one = "framework: pytorch, image: x, pytorch: {tensorboard: true}"
    missing = (
        "the run has no TensorBoard: none is installed in your environment",
        "Run `pip install tensorboard`, or add it to `install` in riseml.yml.",
    )
    assert warnings(client, tmp_path, wants_one) == [missing]
    # The install steps may install one.
    assert warnings(client, tmp_path, f"{wants_one}, install: make") == []
    assert warnings(client, tmp_path, "env: {A: b}") == []
