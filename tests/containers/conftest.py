"""The local engine with jobs in containers: podman with the marker `containers`, and docker."""

from collections.abc import Iterator

import pytest

from tests.containers.benches import container_bench
from tests.contract.bench import Bench
from tests.local.conftest import lab

__all__ = ["lab"]


@pytest.fixture(
    params=[
        pytest.param("podman", marks=pytest.mark.containers),
        pytest.param("docker", marks=pytest.mark.docker),
    ]
)
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    yield from container_bench(request)
