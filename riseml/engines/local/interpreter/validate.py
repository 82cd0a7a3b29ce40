"""The gate of the local engine: a Workflow is run as Argo would run it, or refused before anything starts."""

from collections.abc import Mapping
from typing import Any

from riseml.engines.local.interpreter import validate_fields, validate_references
from riseml.errors import UnsupportedError

# Faults that are told at once
_MOST = 20


def check(document: Mapping[str, Any]) -> None:
    """Accept a Workflow that the local engine runs faithfully.

    Raises:
        UnsupportedError: it has fields or values that the engine does not know, or parts that do not fit together;
            each is named by its path.
    """
    found = list(validate_fields.faults(document)) or list(
        validate_references.faults(document)
    )
    if found:
        told = (
            found
            if len(found) <= _MOST
            else [*found[:_MOST], f"and {len(found) - _MOST} more"]
        )
        raise UnsupportedError(
            "\n".join(told), "The cluster may run it: `riseml train --engine argo`."
        )
