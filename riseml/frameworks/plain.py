"""No framework: the experiment has one job."""

from riseml.dataclass import dataclass
from riseml.plan import Job, Resources
from riseml.schema.fields import Record

_IMAGE = "python:3.12"


@dataclass(frozen=True)
class Options:
    """Options without a framework; there are none."""


SECTION = Record(Options, {})


def variables(_options: Options) -> frozenset[str]:
    """Return no variables."""
    return frozenset()


def image(_options: Options, _resources: Resources) -> str | None:
    """Return Docker's image of Python."""
    return _IMAGE


def warnings(_options: Options, _image: str) -> tuple[str, ...]:
    """Return no warnings."""
    return ()


def distribute(job: Job, _options: Options, _image: str) -> tuple[Job, ...]:
    """Return the job itself."""
    return (job,)
