"""Argo engine: runs compiled Workflows in a user's namespace on a Kubernetes cluster."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from riseml.doctor.findings import Check
    from riseml.engines import Engine
    from riseml.settings import Settings

# Runs go to the cluster of the context that `riseml config use` chooses.
USES_CONTEXTS = True


def open_engine(settings: "Settings") -> "Engine":
    """Return the engine of the cluster that the settings name.

    Raises:
        NotFoundError: the settings name a context that does not exist.
    """
    # These load an HTTP client, which other engines do not need.
    from riseml.cluster import contexts  # noqa: PLC0415
    from riseml.engines.argo.engine import ArgoEngine  # noqa: PLC0415

    connection = contexts.load(settings.file).connection(settings.context or None)
    return ArgoEngine(connection, settings.home)


def engine_checks(settings: "Settings") -> "list[Check]":
    """Return the checks of `riseml doctor` for this engine.

    Raises:
        NotFoundError: the settings name a context that does not exist.
    """
    from riseml.engines.argo import checks  # noqa: PLC0415

    return checks.engine_checks(settings)


def describe(settings: "Settings") -> str:
    """Return where runs go, as a phrase for messages."""
    return f"the cluster of {settings.context}"
