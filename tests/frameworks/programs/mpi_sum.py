# ruff: noqa: T201
# mypy: ignore-errors
"""MPI: an all-reduce; then every process writes a file, the last one two seconds after the first."""

import os
import time
from pathlib import Path

from mpi4py import MPI

import riseml

world = MPI.COMM_WORLD
total = world.allreduce(world.rank + 1)
nodes = world.allgather(world.Split_type(MPI.COMM_TYPE_SHARED).rank)
print(f"process {world.rank} of {world.size}: sum {total}", flush=True)
assert total == world.size * (world.size + 1) / 2
if world.rank == 0:
    riseml.report_result(
        sum=total,
        processes=world.size,
        library=MPI.Get_library_version().split(",")[0],
        nodes=nodes,
    )
time.sleep(2 * world.rank / max(world.size - 1, 1))
Path(os.environ["OUTPUT_DIR"], f"part-{world.rank}").write_text(f"{time.time()}\n")
