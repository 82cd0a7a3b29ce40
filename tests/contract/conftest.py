"""Engines under contract: the local one always, others with a marker.

`containers` and `docker` are the local engine with jobs in containers of podman and
docker, and `cluster` is Argo.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.containers import programs
from tests.containers.benches import container_bench
from tests.contract.bench import Bench
from tests.local.conftest import Lab, lab

__all__ = ["lab"]


@pytest.fixture(
    params=[
        "local",
        pytest.param("podman", marks=pytest.mark.containers),
        pytest.param("docker", marks=pytest.mark.docker),
        pytest.param("argo", marks=[pytest.mark.cluster, pytest.mark.timeout(400)]),
    ]
)
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    if request.param in programs.SETTINGS:
        yield from container_bench(request)
        return
    if request.param == "local":
        lab: Lab = request.getfixturevalue("lab")
        yield Bench(
            lab.engine, lab.folder, "busybox", 60.0, environment=dict(os.environ)
        )
        return
    from tests.contract import cluster  # noqa: PLC0415

    folder = tmp_path / "project"
    folder.mkdir()
    yield Bench(
        cluster.engine(tmp_path / "home"),
        folder,
        cluster.IMAGE,
        180.0,
        project=f"lab-{os.getpid()}",
    )
