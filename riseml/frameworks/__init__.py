"""Frameworks: what turns one job into several that know each other. Each is one file, named as the user names it.

A file `frameworks/jax.py` (or a module that the entry point group `riseml.frameworks` names) holds what `Framework`
says, reads its own section `train.jax` and needs no change anywhere else.
"""

from typing import Any, Protocol, cast

from riseml import plugins
from riseml.errors import RiseMLError
from riseml.plan import Job, Resources
from riseml.schema.fields import Record

# The file of experiments that name no framework
PLAIN = "plain"
_KIND = "frameworks"
_PARTS = ("SECTION", "variables", "image", "warnings", "distribute")


class Framework(Protocol):
    """What the file of a framework holds. `options` is what SECTION makes, without arguments where there is none."""

    SECTION: Record[Any]

    def variables(self, options: Any) -> frozenset[str]:
        """Return the environment variables that its jobs are given, which a parameter cannot have."""

    def image(self, options: Any, resources: Resources) -> str | None:
        """Return the image of an experiment that names none, None where there is no such image."""

    def warnings(self, options: Any, image: str) -> tuple[str, ...]:
        """Return what is probably not meant about these options with this image."""

    def distribute(self, job: Job, options: Any, image: str) -> tuple[Job, ...]:
        """Return the jobs that run instead of `job`, which is what an experiment without a framework would run."""


def names() -> tuple[str, ...]:
    """Return what `framework:` may say."""
    return tuple(name for name in plugins.names(_KIND) if name != PLAIN)


def exists(name: str) -> bool:
    """Whether `framework:` may say so; quicker than asking for all names."""
    return name != PLAIN and plugins.exists(_KIND, name)


def find(name: str | None) -> Framework:
    """Return the framework of this name.

    Raises:
        InvalidInputError: there is none.
        RiseMLError: another package's file is broken.
    """
    module = plugins.load(_KIND, name or PLAIN)
    if missing := [part for part in _PARTS if not hasattr(module, part)]:
        raise RiseMLError(
            f"the framework '{name}' lacks {', '.join(missing)}",
            f"See {__name__} for what it needs.",
        )
    return cast("Framework", module)
