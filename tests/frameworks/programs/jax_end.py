# ruff: noqa: T201
# mypy: ignore-errors
"""JAX: processes that sum in every step, until one of them ends in some way."""

import os
import signal
import sys
import time
from pathlib import Path

import jax
import jax.numpy as jnp

end, last_rank = sys.argv[1], int(sys.argv[2])
jax.distributed.initialize()
rank = jax.process_index()
mesh = jax.make_mesh((jax.device_count(),), ("all",))
split = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("all"))
total = jax.jit(jnp.sum)


def step() -> float:
    part = jnp.ones(jax.local_device_count())
    return float(total(jax.make_array_from_process_local_data(split, part)))


for number in range(1000):
    if rank == last_rank and number == 3:
        Path(os.environ["OUTPUT_DIR"], "ended").write_text(str(time.time()))
        print(f"process {rank} ends", flush=True)
        if end == "raise":
            raise ValueError("no such layer")
        if end == "exit":
            sys.exit(3)
        if end == "_exit":
            os._exit(4)
        os.kill(os.getpid(), signal.SIGKILL)
    step()
    time.sleep(0.05)
