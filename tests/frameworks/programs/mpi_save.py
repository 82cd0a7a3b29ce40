# ruff: noqa: T201
# mypy: ignore-errors
"""Ranks that save on TERM, for as many seconds as the first argument says.

Further arguments name ranks that do not handle TERM, and `fails-2` lets rank 2 fail.
"""

import os
import signal
import sys
import time
from pathlib import Path

from mpi4py import MPI

SECONDS, CARELESS = float(sys.argv[1]), set(sys.argv[2:])
RANK = MPI.COMM_WORLD.rank
OUTPUT = Path(os.environ["OUTPUT_DIR"])


def save(*_: object) -> None:
    started = time.monotonic()
    time.sleep(SECONDS)
    (OUTPUT / f"saved-{RANK}").write_text("complete")
    print(f"rank {RANK} saved in {time.monotonic() - started:.0f} seconds")
    # Without MPI_Finalize, in which Open MPI 4 waits for ranks that are gone.
    sys.stdout.flush()
    os._exit(0)


if str(RANK) not in CARELESS:
    signal.signal(signal.SIGTERM, save)
MPI.COMM_WORLD.barrier()
(OUTPUT / f"ready-{RANK}").touch()
print(f"rank {RANK} is ready", flush=True)
if f"fails-{RANK}" in CARELESS:
    # Before, the others would be in the barrier, which fails without it.
    while len(list(OUTPUT.glob("ready-*"))) < MPI.COMM_WORLD.size:
        time.sleep(0.1)
    os._exit(7)
while True:
    time.sleep(0.1)
