"""Fit a plane with all processes at once: each has a different part of the data, and JAX averages the gradients."""

import argparse
import os

import jax
import jax.numpy as jnp
import riseml
from jax.sharding import Mesh, NamedSharding, PartitionSpec

EPOCHS, POINTS = 50, 256  # points of each process


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--lr", type=float, default=0.1, help="learning rate")
    options = arguments.parse_args()
    connect()
    rank, size = jax.process_index(), jax.process_count()
    print(f"process {rank} of {size} has {jax.local_device_count()} of {jax.device_count()} devices")

    mesh = Mesh(jax.devices(), ("data",))
    sharded = NamedSharding(mesh, PartitionSpec("data"))
    replicated = NamedSharding(mesh, PartitionSpec())
    local_points = jax.random.uniform(jax.random.key(rank), (POINTS, 3), minval=-1.0, maxval=1.0)
    points = jax.make_array_from_process_local_data(sharded, local_points)
    weights = jax.device_put(jnp.zeros(3), replicated)

    def error(weights, points):
        return jnp.mean((points @ weights - points @ jnp.array([1.0, 2.0, 3.0])) ** 2)

    @jax.jit
    def step(weights, points):  # the mean is over the points of all processes
        loss, gradient = jax.value_and_grad(error)(weights, points)
        return loss, weights - options.lr * gradient

    for epoch in range(1, EPOCHS + 1):
        loss, weights = step(weights, points)
        if rank == 0 and epoch % 10 == 0:
            print(f"epoch {epoch}: loss {float(loss):.6f}")
            riseml.report_result(loss=float(loss), processes=size)
            riseml.report_progress(epoch, EPOCHS)


def connect():
    """Connect to the other processes of the experiment, if any; JAX itself reads only the address."""
    if "JAX_COORDINATOR_ADDRESS" in os.environ:
        jax.config.update("jax_cpu_collectives_implementation", "gloo")  # needed for CPUs only
        jax.distributed.initialize(
            coordinator_address=os.environ["JAX_COORDINATOR_ADDRESS"],
            num_processes=int(os.environ["JAX_NUM_PROCESSES"]),
            process_id=int(os.environ["JAX_PROCESS_ID"]),
            cluster_detection_method="deactivate",  # RiseML has set everything
        )


if __name__ == "__main__":
    main()
