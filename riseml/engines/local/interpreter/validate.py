"""Validation of a Workflow, which the local engine runs as Argo does, or refuses."""

from collections.abc import Mapping
from typing import Any, Final

from riseml.engines.local.interpreter import validate_fields, validate_references
from riseml.errors import UnsupportedError

# More faults do not fit on a screen, and usually have the same cause.
_MAX_FAULTS_PRINTED: Final = 20


def check(document: Mapping[str, Any]) -> None:
    """Accept a Workflow that the local engine runs faithfully.

    The document is in its normal form (`normalize`): no field is null.

    Raises:
        UnsupportedError: it has fields or values that the engine does not support, or
            that contradict each other; the message names each by its path.
    """
    faults = list(validate_fields.faults(document))
    # References can be followed only if all fields have the expected types.
    if not faults:
        faults = list(validate_references.faults(document))
    if not faults:
        return
    lines = faults[:_MAX_FAULTS_PRINTED]
    if len(faults) > _MAX_FAULTS_PRINTED:
        lines.append(f"and {len(faults) - _MAX_FAULTS_PRINTED} more")
    raise UnsupportedError(
        "\n".join(lines),
        "A cluster may support this: `riseml config use CONTEXT`, then train again.",
    )
