"""Horovod with any library: workers whose processes are the ranks of one `mpirun`, as with `framework: mpi`."""

from riseml.dataclass import dataclass
from riseml.frameworks import mpi, tensorboard
from riseml.plan import Job, Resources
from riseml.schema.fields import Nullable, Record, Text
from riseml.schema.resources import WORKERS, Workers


@dataclass(frozen=True)
class Options:
    """The section `horovod`; `version` is the tag of the image."""

    version: str | None = None
    tensorboard: bool = False
    workers: Workers | None = None


SECTION = Record(
    Options,
    {
        "version": Nullable(
            Text(
                "a version such as 0.28.1, or latest",
                "[0-9A-Za-z_][0-9A-Za-z_.-]*",
                "Write for example 0.28.1.",
            )
        ).says(
            "Tag of the image horovod/horovod; with `image` it has no meaning.",
            default="latest",
            example="0.28.1",
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


def variables(_options: Options) -> frozenset[str]:
    """Return no variables: Horovod's begin with its name."""
    return frozenset()


def image(options: Options, _resources: Resources) -> str:
    """Return the public image of the version, which works with and without GPUs."""
    return f"horovod/horovod:{options.version or 'latest'}"


def warnings(_options: Options, _image: str) -> tuple[str, ...]:
    """Return no warnings."""
    return ()


def distribute(job: Job, options: Options, _image: str) -> tuple[Job, ...]:
    """Return the job, or the workers."""
    return mpi.ranks(job, options.workers)
