"""JAX: one job, or workers whose processes meet at the first one's coordinator.

jax: {workers: 2}   ──▶   worker.1, worker.2, told JAX_COORDINATOR_ADDRESS, JAX_NUM_PROCESSES and JAX_PROCESS_ID
"""

from dataclasses import dataclass, replace

from riseml.plan import POSITION, Job, Resources, host
from riseml.schema.fields import Boolean, Record
from riseml.schema.resources import WORKERS, Workers

# Of the coordinator, as in JAX's documentation
_PORT = 1234
_EACH = "JAX_COORDINATOR_ADDRESS=$leader JAX_NUM_PROCESSES=$size JAX_PROCESS_ID=$rank"


@dataclass(frozen=True)
class Options:
    """The section `jax`."""

    tensorboard: bool = False
    workers: Workers | None = None


SECTION = Record(
    Options,
    {
        "tensorboard": Boolean().says(
            "Whether TensorBoard shows the output; false by default."
        ),
        "workers": WORKERS.says(
            "Workers, each on one node, and the processes of each."
        ),
    },
)


def variables(options: Options) -> frozenset[str]:
    """What jax.distributed is told by workers."""
    return frozenset(
        {"JAX_COORDINATOR_ADDRESS", "JAX_NUM_PROCESSES", "JAX_PROCESS_ID"}
        if options.workers
        else ()
    )


def image(_options: Options, _resources: Resources) -> None:
    """JAX publishes no image that serves all."""


def warnings(_options: Options, _image: str) -> tuple[str, ...]:
    """Return no warnings."""
    return ()


def distribute(job: Job, options: Options, _image: str) -> tuple[Job, ...]:
    """Return the job, or the workers."""
    workers = options.workers
    if workers is None:
        return (job,)
    type = "worker" if workers.count > 1 else job.type  # noqa: A001
    told = {
        "RISEML_EACH": _EACH,
        "RISEML_LEADER": f"{host(type)}:{_PORT}",
        "RISEML_NODES": str(workers.count),
        "RISEML_NODE": POSITION,
        "RISEML_PROCESSES": str(workers.processes_with(job.resources)),
    }
    return (
        replace(
            job, type=type, count=workers.count, runner="processes", framework_env=told
        ),
    )
