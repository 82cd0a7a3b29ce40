# ruff: noqa: T201
# mypy: ignore-errors
"""JAX: a sum over arrays that are distributed over the processes."""

import os

import jax
import jax.numpy as jnp
from jax.experimental import multihost_utils

import riseml

rank, size = int(os.environ["JAX_PROCESS_ID"]), int(os.environ["JAX_NUM_PROCESSES"])
jax.distributed.initialize(
    os.environ["JAX_COORDINATOR_ADDRESS"],
    size,
    rank,
    cluster_detection_method="deactivate",
    initialization_timeout=60,
)
assert (jax.process_index(), jax.process_count()) == (rank, size)
assert len(jax.devices()) == size * len(jax.local_devices())

mesh = jax.make_mesh((jax.device_count(),), ("all",))
split = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("all"))
part = jnp.full(jax.local_device_count(), rank + 1.0)
total = float(jax.jit(jnp.sum)(jax.make_array_from_process_local_data(split, part)))
ranks = multihost_utils.process_allgather(jnp.array(rank)).ravel().tolist()
print(f"process {rank} of {size}: sum {total}, heard of {ranks}")
assert total == size * (size + 1) / 2 * jax.local_device_count()
assert ranks == list(range(size))
if rank == 0:
    riseml.report_result(sum=total, processes=size)
