"""No framework: the experiment is one job."""

from dataclasses import dataclass

from riseml.plan import Job, Resources
from riseml.schema.fields import Record


@dataclass(frozen=True)
class Options:
    """Nothing to choose."""


SECTION = Record(Options, {})


def variables(_options: Options) -> frozenset[str]:
    """No variables."""
    return frozenset()


def image(_options: Options, _resources: Resources) -> str | None:
    """No image."""
    return None


def warnings(_options: Options, _image: str) -> tuple[str, ...]:
    """Return no warnings."""
    return ()


def distribute(job: Job, _options: Options, _image: str) -> tuple[Job, ...]:
    """Return the job itself."""
    return (job,)
