"""JAX: one job, or workers whose processes meet at the coordinator in the first worker.

jax: {workers: 2}   ──▶   worker.1, worker.2 with JAX_COORDINATOR_ADDRESS, JAX_NUM_PROCESSES and JAX_PROCESS_ID

templates/jax_hook.py lets `jax.distributed.initialize()` read them.
"""

from riseml.dataclass import dataclass, replace
from riseml.frameworks import tensorboard
from riseml.plan import POSITION, Job, Resources, host
from riseml.schema.fields import Record
from riseml.schema.resources import WORKERS, Workers

# The coordinator's port in JAX's documentation.
_PORT = 1234
# templates/processes.sh replaces the values for each process.
_PROCESS_ENV = {
    "JAX_COORDINATOR_ADDRESS": "$leader",
    "JAX_NUM_PROCESSES": "$size",
    "JAX_PROCESS_ID": "$rank",
    # keras.distribution.initialize() reads its own.
    "KERAS_DISTRIBUTION_JOB_ADDRESSES": "$leader",
    "KERAS_DISTRIBUTION_NUM_PROCESSES": "$size",
    "KERAS_DISTRIBUTION_PROCESS_ID": "$rank",
}


@dataclass(frozen=True)
class Options:
    """The section `jax`."""

    tensorboard: bool = False
    workers: Workers | None = None


SECTION = Record(
    Options,
    {
        "tensorboard": tensorboard(default=False),
        "workers": WORKERS.says(
            "Workers, each on one node, and the processes of each: a number, or a mapping.",
            otherwise="one job runs the commands once",
            example={"count": 2, "processes": 2},
        ),
    },
)


def variables(options: Options) -> frozenset[str]:
    """Return the variables that jax.distributed reads, for workers."""
    return frozenset(_PROCESS_ENV) if options.workers else frozenset()


def image(_options: Options, _resources: Resources) -> None:
    """Return None: JAX publishes no image that suits every experiment."""


def warnings(_options: Options, _image: str) -> tuple[str, ...]:
    """Return no warnings."""
    return ()


def distribute(job: Job, options: Options, _image: str) -> tuple[Job, ...]:
    """Return the job, or the workers."""
    workers = options.workers
    if workers is None:
        return (replace(job, script="jax"),)
    job_type = workers.job_type(job.type)
    processes = workers.processes_with(job.resources)
    process_env = dict(_PROCESS_ENV)
    devices = _devices(job.resources.whole_gpus // processes)
    if processes > 1 and devices:
        process_env["JAX_LOCAL_DEVICE_IDS"] = f"${{JAX_LOCAL_DEVICE_IDS:-{devices}}}"
    # The first worker is the leader, so its position is also the rank of its node.
    env = {
        "RISEML_EACH": " ".join(
            f"{name}={value}" for name, value in process_env.items()
        ),
        "RISEML_LEADER": f"{host(job_type)}:{_PORT}",
        "RISEML_NODES": str(workers.count),
        "RISEML_NODE": POSITION,
        "RISEML_PROCESSES": str(processes),
    }
    worker = replace(
        job, type=job_type, count=workers.count, script="jax", framework_env=env
    )
    return (worker,)


def _devices(share: int) -> str:
    """Return the numbers of a process's GPUs among those of its worker, for templates/processes.sh."""
    if share == 1:
        return "$local_rank"
    numbers = (f"$((local_rank*{share}+{device}))" for device in range(share))
    return ",".join(numbers)
