"""Names of gangs: which pods of a run belong together."""

from collections.abc import Mapping
from typing import Any

from riseml import labels

RUN_GANG = "run"
"""The gang of the run's own jobs: TensorBoard and the build."""


def gang_of(template: Mapping[str, Any], attempt: int) -> str:
    """Return the gang of a pod: its experiment, and the number of that one's attempt."""
    metadata = template.get("metadata", {})
    sub = metadata.get("labels", {}).get(labels.EXPERIMENT)
    if not sub:
        return RUN_GANG
    for entry in template["container"].get("env", ()):
        # Retries of a whole experiment number their attempts by a variable; those of a
        # single job are numbered by the interpreter.
        if entry["name"] == "RISEML_ATTEMPT" and entry.get("value"):
            return f"{sub}.{entry['value']}"
    return f"{sub}.{attempt}"
