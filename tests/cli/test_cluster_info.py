"""`riseml system info` of a cluster with two nodes."""

import csv
import io
from decimal import Decimal

import pytest
import yaml

import riseml as package
from riseml.cluster.api import Api
from riseml.cluster.connection import Connection
from riseml.cluster.overview import Node, Versions
from tests.cli.conftest import Riseml
from tests.cli.test_schemas import validate

GIB = 1 << 30
NODES = [
    Node("a", Decimal("7.5"), 32 * GIB, 2, 160 * GIB, "H100", "570.1", "v1.35", "crio"),
    Node("b", Decimal(4), 16 * GIB, 0, 0, "", "", "v1.35", "crio"),
]


@pytest.fixture(autouse=True)
def _cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    api = Api(Connection("https://lab.example.com:6443"))
    versions = Versions("v1.35.0", "2026-01-01", "v4.1.2", "1234")
    monkeypatch.setattr("riseml.cli.cluster_info.connect", lambda *_arguments: api)
    values = {"gpuResource": "nvidia.com/gpu"}
    monkeypatch.setattr("riseml.cluster.values.read_values", lambda _api: values)
    monkeypatch.setattr("riseml.cluster.overview.nodes", lambda *_arguments: NODES)
    monkeypatch.setattr("riseml.cluster.overview.versions", lambda _api: versions)


def test_info_for_scripts(riseml: Riseml) -> None:
    record = validate("system-info", riseml("system", "info", "-o", "json").out)
    assert yaml.safe_load(riseml("system", "info", "-o", "yaml").out) == record
    assert {**record, "nodes": []} == {
        "server": "https://lab.example.com:6443",
        "cluster": "1234",
        "riseml": package.__version__,
        "kubernetes": "v1.35.0",
        "built": "2026-01-01",
        "argo": "v4.1.2",
        "nodes": [],
    }
    assert record["nodes"][0] == {
        "name": "a",
        "cpus": 7.5,
        "mem": 34_359_738_368,
        "gpus": 2,
        "gpu_name": "H100",
        "gpu_mem": 171_798_691_840,
        "driver": "570.1",
        "kubelet": "v1.35",
        "runtime": "crio",
    }
    assert riseml("system", "info", "-o", "name").out == "a\nb\n"
    rows = list(csv.DictReader(io.StringIO(riseml("system", "info", "-o", "csv").out)))
    assert [(row["name"], row["cpus"], row["driver"]) for row in rows] == [
        ("a", "7.5", "570.1"),
        ("b", "4.0", ""),
    ]


def test_wide_info_has_the_versions_of_nodes(riseml: Riseml) -> None:
    wide = riseml("system", "info", "-o", "wide").out
    assert "Argo version: v4.1.2\n" in wide
    assert "KUBELET VERSION" in wide
    assert "KUBELET VERSION" not in riseml("system", "info").out
