"""Frameworks: turn one job into several that know each other.

Each framework is one module, named as `framework:` in riseml.yml names it:

    framework: jax             ──▶  riseml/frameworks/jax.py, or the module that
    jax: {workers: 2}               the entry point group `riseml.frameworks` names

The module defines what `Framework` declares, reads its own section of `train` and needs no
change anywhere else. `jax.py` is the simplest example with several jobs.
"""

from typing import Any, Protocol, cast

from riseml import plugins
from riseml.plan import Job, Resources
from riseml.schema.fields import Boolean, Record

PLAIN = "plain"
"""The module for experiments that name no framework."""

_KIND = "frameworks"
_REQUIRED = ("SECTION", "variables", "image", "warnings", "distribute")


class Framework(Protocol):
    """The contract of a framework's module.

    `options` is what SECTION makes; without arguments if the file has no such section. All
    functions are pure: they may be called several times for one riseml.yml.
    """

    SECTION: Record[Any]
    """The section of `train` that has the framework's name."""

    def variables(self, options: Any) -> frozenset[str]:
        """Return the environment variables that the framework sets, which no parameter can have."""

    def image(self, options: Any, resources: Resources) -> str | None:
        """Return the image of an experiment that names none; None if `image` is then required."""

    def warnings(self, options: Any, image: str) -> tuple[str, ...]:
        """Return warnings for the user about these options with this image."""

    # A module may also define `code_warnings(options, image, code)`, which returns warnings
    # about a program that a line of `run` names; see `code_warnings` below.

    def distribute(self, job: Job, options: Any, image: str) -> tuple[Job, ...]:
        """Return the jobs of an experiment; `job` is the only one that it has without a framework."""


def tensorboard(*, default: bool) -> Boolean:
    """Return the key `tensorboard` of a framework's section."""
    return Boolean().says(
        "Whether a TensorBoard shows the output while the run is active.",
        default=default,
        example=not default,
        local="as a process, from your own environment",
        cluster="in a pod, which `riseml tensorboard` reaches",
    )


def names() -> tuple[str, ...]:
    """Return the names that `framework:` accepts, sorted."""
    return tuple(name for name in plugins.names(_KIND) if name != PLAIN)


def exists(name: str) -> bool:
    """Return whether there is such a framework; quicker than reading all names."""
    return name != PLAIN and plugins.exists(_KIND, name)


def find(name: str | None) -> Framework:
    """Return the framework of this name; None stands for no framework.

    Raises:
        InvalidInputError: there is no such framework.
        RiseMLError: another package's module is broken.
    """
    return cast("Framework", plugins.load(_KIND, name or PLAIN, _REQUIRED))


def code_warnings(
    name: str | None, options: Any, image: str, code: str
) -> tuple[str, ...]:
    """Return what a framework warns of in the text of a program; most have nothing to say.

    Raises:
        InvalidInputError: there is no such framework.
        RiseMLError: another package's module is broken.
    """
    warn = getattr(find(name), "code_warnings", None)
    return () if warn is None else tuple(warn(options, image, code))
