"""JAX: one job, or workers whose processes meet at the first one's coordinator."""

from dataclasses import dataclass

from riseml.amounts import WORKERS, Workers, are_several
from riseml.frameworks import alone
from riseml.schema import Boolean, Record
from riseml.spec import Job, Resources


@dataclass(frozen=True)
class Options:
    """The section `jax`."""

    tensorboard: bool = False
    workers: Workers | None = None


SECTION = Record(
    Options,
    {
        "tensorboard": Boolean().says("Whether TensorBoard shows the output; false by default."),
        "workers": WORKERS.says("Workers, each on one node, and the processes of each."),
    },
)


def variables(options: Options) -> frozenset[str]:
    """What jax.distributed is told by workers."""
    return frozenset({"JAX_COORDINATOR_ADDRESS", "JAX_NUM_PROCESSES", "JAX_PROCESS_ID"} if options.workers else ())


def image(_options: Options, _resources: Resources) -> None:
    """JAX publishes no image that serves all."""


def doubts(_options: Options, _image: str) -> tuple[str, ...]:
    """No doubts."""
    return ()


def distribute(job: Job, options: Options) -> tuple[Job, ...]:
    """Return the job, or the workers."""
    return alone(job, several=are_several(options.workers, job.resources), name="JAX")
