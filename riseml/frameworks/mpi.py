"""MPI: workers whose processes `mpirun` starts from the first one."""

from dataclasses import dataclass

from riseml.amounts import WORKERS, Workers, are_several
from riseml.frameworks import alone
from riseml.schema import Record
from riseml.spec import Job, Resources


@dataclass(frozen=True)
class Options:
    """The section `mpi`."""

    workers: Workers | None = None


SECTION = Record(Options, {"workers": WORKERS.says("Workers, each on one node, and the processes of each.")})


def variables(_options: Options) -> frozenset[str]:
    """None that a parameter could have: those of MPI carry the prefix of its implementation."""
    return frozenset()


def image(_options: Options, _resources: Resources) -> None:
    """There are many implementations of MPI; the user's image holds one."""


def doubts(_options: Options, _image: str) -> tuple[str, ...]:
    """No doubts."""
    return ()


def distribute(job: Job, options: Options) -> tuple[Job, ...]:
    """Return the job, or the workers."""
    return alone(job, several=are_several(options.workers, job.resources), name="MPI")
