"""MPI: workers whose processes `mpirun` starts from the first worker, one line of `run` after the other.

mpi: {workers: {count: 2, processes: 4}}   ──▶   worker.1 (mpirun), worker.2 (waits for it): 8 processes for each line
"""

from riseml.dataclass import dataclass, replace
from riseml.plan import Job, Resources
from riseml.schema.fields import Record
from riseml.schema.resources import WORKERS, Workers


@dataclass(frozen=True)
class Options:
    """The section `mpi`."""

    workers: Workers | None = None


SECTION = Record(
    Options,
    {
        "workers": WORKERS.says(
            "Workers, each on one node, and the processes of each: a number, or a mapping.",
            otherwise="one job runs the commands once",
            example={"count": 2, "processes": 4},
        )
    },
)


def variables(_options: Options) -> frozenset[str]:
    """Return no variables: those of MPI begin with the name of its implementation."""
    return frozenset()


def image(_options: Options, _resources: Resources) -> None:
    """Return None: MPI has many implementations, and the user's image contains one."""


def warnings(_options: Options, _image: str) -> tuple[str, ...]:
    """Return no warnings."""
    return ()


def distribute(job: Job, options: Options, _image: str) -> tuple[Job, ...]:
    """Return the job, or the workers."""
    return ranks(job, options.workers)


def ranks(job: Job, workers: Workers | None) -> tuple[Job, ...]:
    """Return the job, or workers whose processes are the ranks of one `mpirun`."""
    if workers is None:
        return (job,)
    job_type = workers.job_type(job.type)
    # templates/mpi.sh starts mpirun in the first worker, and waits for it in the others.
    env = {"RISEML_PROCESSES": str(workers.processes_with(job.resources))}
    worker = replace(
        job, type=job_type, count=workers.count, script="mpi", framework_env=env
    )
    return (worker,)
