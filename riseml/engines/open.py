"""Engines by name: ours, or one that another installed package provides.

An engine is the module `riseml/engines/<name>`, or the module that an installed package
names under the entry point group `riseml.engines`. It defines three functions, each of
the user's settings:

    open_engine(settings) -> Engine
        May be called several times, and must not open anything that outlives the process.
        Must not contact the cluster or start a process: commands that fail early stay fast.
    engine_checks(settings) -> list[Check]
        Returns the checks of `riseml doctor` without running them. Must not raise because
        something is broken, which is for the checks to report.
    describe(settings) -> str
        Returns where runs go, as a phrase for messages: "this machine". Must not raise.

An engine whose runs go to the context in use also sets USES_CONTEXTS = True.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from riseml import plugins
from riseml.engines import Engine
from riseml.errors import RiseMLError
from riseml.settings import Settings

if TYPE_CHECKING:
    from riseml.doctor.findings import Check


def open_engine(settings: Settings) -> Engine:
    """Return the engine that the settings name.

    Raises:
        HomeError: the home cannot be used.
        InvalidInputError: there is no engine of this name.
        NotFoundError: there is no context of this name.
    """
    engine: Engine = _function(settings, "open_engine")(settings)
    return engine


def engine_checks(settings: Settings) -> "list[Check]":
    """Return the checks of `riseml doctor` for the engine that the settings name.

    Raises:
        InvalidInputError: there is no engine of this name.
        NotFoundError: there is no context of this name.
    """
    checks: list[Check] = _function(settings, "engine_checks")(settings)
    return checks


def describe(settings: Settings) -> str:
    """Return where runs go, as a phrase for messages: "this machine".

    Raises:
        InvalidInputError: there is no engine of this name.
    """
    return str(_function(settings, "describe")(settings))


def context_in_use(settings: Settings) -> str:
    """Return the context that runs go to, empty if the engine does not use contexts.

    Raises:
        InvalidInputError: there is no engine of this name.
    """
    module = plugins.load("engines", settings.engine)
    return settings.context if getattr(module, "USES_CONTEXTS", False) else ""


def _function(settings: Settings, name: str) -> Callable[[Settings], Any]:
    module = plugins.load("engines", settings.engine)
    function: Callable[[Settings], Any] | None = getattr(module, name, None)
    if function is None:
        raise RiseMLError(
            f"the engine '{settings.engine}' has no function {name}",
            "Report this to the authors of the engine, or choose another engine.",
        )
    return function
