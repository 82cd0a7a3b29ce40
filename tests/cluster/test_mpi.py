"""Ranks in pods have the grace period to save: `KUBECONFIG=… pytest -m cluster tests/cluster/test_mpi.py`."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from riseml.ids import Id
from riseml.status import State
from tests.cluster import residents
from tests.cluster.scenarios import MPI_IMAGE
from tests.contract import cluster
from tests.contract.bench import Bench

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(400),
    pytest.mark.xdist_group("mpi"),
]

NAMESPACE = "riseml-ranks"
PROGRAM = Path(__file__).parents[1] / "frameworks" / "programs" / "mpi_save.py"
TRAIN = """
framework: mpi
mpi: {{workers: {{count: 2, processes: 2}}}}
resources: {{cpus: 0.2, mem: 128}}
run: {line}
"""
POD_GRACE_SECONDS = 30
RANKS = {"0", "1", "2", "3"}


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    folder = tmp_path / "project"
    folder.mkdir()
    shutil.copy(PROGRAM, folder)
    engine = cluster.engine(tmp_path / "home", NAMESPACE)
    yield Bench(engine, folder, MPI_IMAGE, 240.0, project="ranks")
    administrator = cluster.administrator()
    residents.leave(administrator, NAMESPACE)
    residents.wait_until_gone(administrator, NAMESPACE)


def saved(bench: Bench, run: int) -> set[str]:
    """Return the ranks that say that their file is complete."""
    log = bench.log(run)
    return {rank for rank in RANKS if f"rank {rank} saved in 10 seconds" in log}


def test_a_kill_leaves_every_rank_the_time_to_save(bench: Bench) -> None:
    line = "python3 mpi_save.py 10 | tee -a copy"
    run = bench.train(TRAIN.format(line=line)).number
    bench.until(lambda: bench.log(run).count("is ready") == len(RANKS), "the ranks")
    stopped = time.monotonic()
    bench.engine.stop(Id(number=run), force=False)
    bench.wait(run)
    # The ranks and their workers exit by themselves, before pods are killed.
    assert 10 <= time.monotonic() - stopped < POD_GRACE_SECONDS
    (experiment,) = bench.engine.read(Id(number=run)).experiments
    assert saved(bench, run) == RANKS
    assert {job.state for job in experiment.jobs} == {State.KILLED}
    assert {job.reason for job in experiment.jobs} == {"KILLED"}
