# ruff: noqa: T201
# mypy: ignore-errors
"""MPI: the run line after that of mpi_sum.py. Its processes start after all processes of that line have exited."""

import os
import time
from pathlib import Path

from mpi4py import MPI

import riseml

began = time.time()
world = MPI.COMM_WORLD
ended = [
    float(part.read_text()) for part in Path(os.environ["OUTPUT_DIR"]).glob("part-*")
]
print(
    f"process {world.rank} of {world.size}: {len(ended)} had ended, the last {began - max(ended):.2f} s ago",
    flush=True,
)
assert len(ended) == world.size
assert max(ended) <= began
if world.rank == 0:
    riseml.report_result(waited=round(began - min(ended), 3), ended=len(ended))
