"""Memory that a job requests is its limit on the cluster of KUBECONFIG."""

from pathlib import Path

import pytest

from riseml.engines.argo.engine import ArgoEngine
from riseml.ids import Id
from riseml.status import State
from tests.cluster.user_namespace import IMAGE
from tests.contract import cluster
from tests.contract.bench import Bench

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(200),
    pytest.mark.xdist_group("limits"),
]

ALLOCATE = "python3 -c 'x = bytearray({bytes}); print(len(x))'"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    folder = tmp_path / "project"
    folder.mkdir()
    engine = cluster.engine(tmp_path / "home", "riseml-limits")
    return Bench(engine, folder, IMAGE, 150.0, project="limits")


@pytest.mark.parametrize(
    ("allocated", "state", "reason"),
    [(300_000_000, State.FAILED, "OOM"), (20_000_000, State.FINISHED, "COMPLETED")],
)
def test_a_job_gets_no_more_memory_than_it_requests(
    bench: Bench, allocated: int, state: State, reason: str
) -> None:
    run = ALLOCATE.format(bytes=allocated)
    number = bench.train(f"resources: {{cpus: 0.1, mem: 64}}\nrun: {run!r}\n").number
    bench.wait(number)
    assert isinstance(bench.engine, ArgoEngine)
    status = bench.engine.read(Id(number=number))
    (job,) = status.experiments[0].jobs
    assert (job.state, job.reason) == (state, reason)
