"""PyTorch: one job, or workers whose processes torchrun's variables tell of each other (MASTER_ADDR, RANK, …).

pytorch: {workers: {count: 3, processes: 2}}   ──▶   master (ranks 0 and 1), worker.1 (2, 3), worker.2 (4, 5)
"""

from dataclasses import dataclass, replace

from riseml.plan import INDEX, Job, Resources, host
from riseml.schema.fields import Boolean, Nullable, Record, Text
from riseml.schema.resources import WORKERS, Workers

# Of the store on the master, torchrun's default
_PORT = 29500
# As torch.distributed.run sets them for each process; templates/processes.sh knows the values
_EACH = {
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
}


@dataclass(frozen=True)
class Options:
    """The section `pytorch`; `version` is the whole tag of the image."""

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
        ).says("Tag of the image pytorch/pytorch; latest by default."),
        "tensorboard": Boolean().says(
            "Whether TensorBoard shows the output; false by default."
        ),
        "workers": WORKERS.says(
            "Workers, each on one node, and the processes of each."
        ),
    },
)


def variables(options: Options) -> frozenset[str]:
    """What torchrun sets for workers."""
    return frozenset(_EACH if options.workers else ())


def image(options: Options, _resources: Resources) -> str:
    """Return the public image of the version; it serves CPUs and GPUs."""
    return f"pytorch/pytorch:{options.version or 'latest'}"


def warnings(_options: Options, _image: str) -> tuple[str, ...]:
    """Return no warnings."""
    return ()


def distribute(job: Job, options: Options, _image: str) -> tuple[Job, ...]:
    """Return the job, or the master and the workers."""
    workers = options.workers
    if workers is None:
        return (job,)
    processes = workers.processes_with(job.resources)
    each = {
        **_EACH,
        **({"OMP_NUM_THREADS": "${OMP_NUM_THREADS:-1}"} if processes > 1 else {}),
    }
    first = replace(
        job, type="master" if workers.count > 1 else job.type, runner="processes"
    )
    told = {
        "RISEML_EACH": " ".join(f"{name}={value}" for name, value in each.items()),
        "RISEML_LEADER": f"{host(first.type)}:{_PORT}",
        "RISEML_NODES": str(workers.count),
        "RISEML_PROCESSES": str(processes),
    }
    master = replace(first, framework_env={**told, "RISEML_NODE": "0"})
    if workers.count == 1:
        return (master,)
    return (
        master,
        replace(
            first,
            type="worker",
            count=workers.count - 1,
            framework_env={**told, "RISEML_NODE": INDEX},
        ),
    )
