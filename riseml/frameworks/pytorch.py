"""PyTorch: one job, or workers whose processes torchrun's variables tell of each other (MASTER_ADDR, RANK, …)."""

from dataclasses import dataclass

from riseml.amounts import WORKERS, Workers, are_several
from riseml.frameworks import alone
from riseml.schema import Boolean, Nullable, Record, Text
from riseml.spec import Job, Resources


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
        "tensorboard": Boolean().says("Whether TensorBoard shows the output; false by default."),
        "workers": WORKERS.says("Workers, each on one node, and the processes of each."),
    },
)


def variables(options: Options) -> frozenset[str]:
    """What torchrun sets for workers."""
    return frozenset({"MASTER_ADDR", "MASTER_PORT", "WORLD_SIZE", "RANK", "LOCAL_RANK"} if options.workers else ())


def image(options: Options, _resources: Resources) -> str:
    """Return the public image of the version; it serves CPUs and GPUs."""
    return f"pytorch/pytorch:{options.version or 'latest'}"


def doubts(_options: Options, _image: str) -> tuple[str, ...]:
    """No doubts."""
    return ()


def distribute(job: Job, options: Options) -> tuple[Job, ...]:
    """Return the job, or the workers."""
    return alone(job, several=are_several(options.workers, job.resources), name="PyTorch")
