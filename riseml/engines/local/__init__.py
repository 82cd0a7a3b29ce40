"""Local engine: runs compiled Workflows as processes of this machine."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from riseml.doctor.findings import Check
    from riseml.engines import Engine
    from riseml.settings import Settings


def open_engine(settings: "Settings") -> "Engine":
    """Return the engine of the user's home.

    Raises:
        HomeError: the home cannot be used.
    """
    from riseml.engines.local.engine import LocalEngine  # noqa: PLC0415

    return LocalEngine(settings.home, settings.user, settings.runner)


def engine_checks(settings: "Settings") -> "list[Check]":
    """Return the checks of `riseml doctor` for this engine."""
    from riseml.engines.local import checks  # noqa: PLC0415

    return checks.engine_checks(settings)


def describe(_settings: "Settings") -> str:
    """Return where runs go."""
    return "this machine"
