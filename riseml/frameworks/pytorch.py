"""PyTorch: one job, or a master and workers whose processes get torchrun's variables (MASTER_ADDR, RANK, …).

pytorch: {workers: {count: 3, processes: 2}}   ──▶   master (ranks 0 and 1), worker.1 (2, 3), worker.2 (4, 5)
"""

from riseml.dataclass import dataclass, replace
from riseml.frameworks import tensorboard
from riseml.plan import INDEX, Job, Resources, host
from riseml.schema.fields import Nullable, Record, Text
from riseml.schema.resources import WORKERS, Workers

# The master's store listens here; torchrun's default.
_PORT = 29500
# As torch.distributed.run sets them; templates/processes.sh replaces the values for each
# process.
_PROCESS_ENV = {
    "MASTER_ADDR": "$leader_host",
    "MASTER_PORT": "$leader_port",
    "RANK": "$rank",
    "WORLD_SIZE": "$size",
    "LOCAL_RANK": "$local_rank",
    "LOCAL_WORLD_SIZE": "$local_size",
    "GROUP_RANK": "$node",
    "GROUP_WORLD_SIZE": "$nodes",
    "ROLE_RANK": "$rank",
    "ROLE_WORLD_SIZE": "$size",
    "ROLE_NAME": "default",
    # Lightning and others look for these before they take the variables for torchrun's.
    # No agent restarts the processes or has a store for them.
    "TORCHELASTIC_RUN_ID": "$RISEML_EXPERIMENT",
    "TORCHELASTIC_RESTART_COUNT": "$RISEML_ATTEMPT",
    "TORCHELASTIC_USE_AGENT_STORE": "False",
}


@dataclass(frozen=True)
class Options:
    """The section `pytorch`; `version` is the complete tag of the image."""

    version: str | None = None
    tensorboard: bool = False
    workers: Workers | None = None


SECTION = Record(
    Options,
    {
        "version": Nullable(
            Text(
                "a tag of pytorch/pytorch",
                "[0-9A-Za-z_][0-9A-Za-z_.-]*",
                "Write for example 2.4.0-cuda12.4-cudnn9-runtime.",
            )
        ).says(
            "Tag of the image pytorch/pytorch; with `image` it has no meaning.",
            default="latest",
            example="2.4.0-cuda12.4-cudnn9-runtime",
            local="used in containers only",
        ),
        "tensorboard": tensorboard(default=False),
        "workers": WORKERS.says(
            "Workers, each on one node, and the processes of each: a number, or a mapping.",
            otherwise="one job runs the commands once",
            example={"count": 2, "processes": 2},
        ),
    },
)


def variables(options: Options) -> frozenset[str]:
    """Return the variables that torchrun sets, for workers."""
    return frozenset(_PROCESS_ENV) if options.workers else frozenset()


def image(options: Options, _resources: Resources) -> str:
    """Return the public image of the version, which works with and without GPUs."""
    return f"pytorch/pytorch:{options.version or 'latest'}"


def warnings(_options: Options, _image: str) -> tuple[str, ...]:
    """Return no warnings."""
    return ()


def distribute(job: Job, options: Options, _image: str) -> tuple[Job, ...]:
    """Return the job, or the master and the workers."""
    workers = options.workers
    if workers is None:
        return (job,)
    master_type = "master" if workers.count > 1 else job.type
    env = _framework_env(workers, job.resources, master_type)
    master = replace(
        job,
        type=master_type,
        script="processes",
        framework_env={**env, "RISEML_NODE": "0"},
    )
    if workers.count == 1:
        return (master,)
    # The master has the first ranks, so a worker's index, from 1, is also its node's rank.
    worker = replace(
        master,
        type="worker",
        count=workers.count - 1,
        framework_env={**env, "RISEML_NODE": INDEX},
    )
    return master, worker


def _framework_env(
    workers: Workers, resources: Resources, master_type: str
) -> dict[str, str]:
    """Return the variables for templates/processes.sh that all jobs share."""
    processes = workers.processes_with(resources)
    process_env = dict(_PROCESS_ENV)
    if not resources.gpus:
        # Where there is no GPU, accelerate ignores the other processes without it.
        process_env["ACCELERATE_USE_CPU"] = "${ACCELERATE_USE_CPU:-true}"
    return {
        "RISEML_EACH": " ".join(
            f"{name}={value}" for name, value in process_env.items()
        ),
        "RISEML_LEADER": f"{host(master_type)}:{_PORT}",
        "RISEML_NODES": str(workers.count),
        "RISEML_PROCESSES": str(processes),
    }
