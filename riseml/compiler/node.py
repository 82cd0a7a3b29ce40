"""The only node that can mount a user's volumes: that of the user's store."""

import json

from riseml import labels
from riseml.plan import Target


def patch(target: Target) -> str | None:
    """Return the `podSpecPatch` of a Workflow, None if volumes can be mounted on any node."""
    if not target.single_node:
        return None
    term = {
        "labelSelector": {"matchLabels": {"app": labels.STORE}},
        "topologyKey": "kubernetes.io/hostname",
    }
    required = {"requiredDuringSchedulingIgnoredDuringExecution": [term]}
    return json.dumps({"affinity": {"podAffinity": required}})
