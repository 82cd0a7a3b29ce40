"""Resources that the pods of a template request."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from riseml import gpu_request, labels
from riseml.plan import Resources
from riseml.quantities import bytes_of, cores_of


def resources(template: Mapping[str, Any]) -> Resources:
    """Return the resources that the main container of a template requests.

    TensorBoard requests none, since it must not delay experiments on this machine.
    """
    metadata = template.get("metadata", {})
    if metadata.get("labels", {}).get(labels.TYPE) == "tensorboard":
        return Resources(Decimal(0), 0)
    declared = template["container"].get("resources", {})
    requests = declared.get("requests", {})
    gpus = 0
    for name, value in declared.get("limits", {}).items():
        if name.endswith("/gpu"):
            gpus += int(value)
    requested = Resources(
        cpus=cores_of(requests.get("cpu", "0")),
        mem=bytes_of(requests.get("memory", "0")),
        gpus=gpus,
    )
    return gpu_request.completed(requested, metadata.get("annotations", {}))
