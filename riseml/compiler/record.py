"""The record of its configuration that every experiment gets: `riseml-configuration.yml` in its output folder.

The text is made here, with Argo's tags where an experiment's own values will stand.
"""

import json

from riseml.compiler.names import Names
from riseml.compiler.text import literal, reference


def configuration(names: Names) -> str:
    """Return the text of riseml-configuration.yml."""
    plan = names.plan
    lines = [
        f"project: {json.dumps(plan.project)}",
        f"experiment: {json.dumps(names.experiment)}",
        f"revision: {json.dumps(names.origin.revision)}",
        "params:",
        *(f"  {json.dumps(name)}: {reference(name)}" for name in names.parameters),
    ]
    return literal("\n".join(lines))
