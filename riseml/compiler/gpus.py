"""GPUs of a pod on a cluster: resource limits, and the products that a type stands for.

gpus: 2                limits: {nvidia.com/gpu: 2}
gpus: 0.25             what `gpu.fractions` of the cluster's values maps it to
gpu_type, gpu_mem      affinity of `gpu_affinity.py` to the labels that NVIDIA's GPU feature discovery sets
"""

from collections.abc import Mapping
from functools import partial

from riseml import gpu_request
from riseml.errors import InvalidInputError
from riseml.plan import ExperimentSet, Resources, Target

PRODUCT = "nvidia.com/gpu.product"
_PERCENT = "{percent}"


def limits(resources: Resources, target: Target) -> dict[str, str] | None:
    """Return the limits of a pod, which Kubernetes requires for GPUs; None for none.

    Raises:
        InvalidInputError: the cluster does not say how it shares a GPU.
    """
    if resources.whole_gpus:
        return {target.gpu_resource: str(resources.gpus)}
    if not resources.gpu_parts:
        return None
    return _fraction(resources, target)


def products(gpu_type: str, target: Target) -> list[str]:
    """Return the values of the label PRODUCT that a type stands for.

    They are those of the values' `gpu.types`, else the products of the cluster's nodes of
    which the name has the words of the type. If no products are known, the type itself
    has to be the value of the label.
    """
    types = {name.lower(): values for name, values in target.gpu_types.items()}
    named = types.get(gpu_type.lower(), ())
    if named:
        return list(named)
    if not target.gpu_products:
        return [gpu_type]
    is_match = partial(gpu_request.is_of_type, gpu_type=gpu_type)
    return list(filter(is_match, target.gpu_products))


def check(plan: ExperimentSet, target: Target) -> None:
    """Refuse jobs for which the cluster has no GPUs.

    Raises:
        InvalidInputError: the cluster does not share GPUs like this, or lacks a type.
    """
    for job in plan.jobs:
        limits(job.resources, target)
        gpu_type = job.resources.gpu_type
        if job.resources.gpus and gpu_type:
            _check_type(gpu_type, target)


def note(plan: ExperimentSet) -> str:
    """Return what a document requires that was compiled without a cluster's values; "" if nothing."""
    types = {job.resources.gpu_type for job in plan.jobs if job.resources.gpus}
    names = ", ".join(sorted(filter(None, types)))
    if not names:
        return ""
    return f"gpu_type: without a cluster's list of its GPUs, the label {PRODUCT} of a node must be {names} exactly"


def _check_type(gpu_type: str, target: Target) -> None:
    offered = ", ".join([*target.gpu_types, *target.gpu_products])
    if not offered:
        raise InvalidInputError(
            f"gpu_type: the types of this cluster's GPUs are not known, so '{gpu_type}' cannot be chosen",
            f"An administrator runs `riseml user update` after GPU feature discovery has set the label {PRODUCT},"
            " or sets `gpu.types` in values.yml.",
        )
    if not products(gpu_type, target):
        raise InvalidInputError(
            f"gpu_type: this cluster has no GPU '{gpu_type}'; it has {offered}",
            "If it has been added since, an administrator runs `riseml user update`, or lists it under"
            " `gpu.types` in values.yml.",
        )


def _fraction(resources: Resources, target: Target) -> dict[str, str]:
    """Return the limits that the cluster's values name for a share of a GPU."""
    parts = resources.gpu_parts
    amounts = target.gpu_fractions.get(str(parts)) or target.gpu_fractions.get("any")
    if not amounts:
        raise InvalidInputError(
            f"gpus: {resources.gpus} requested, but no values of a cluster say how {parts} jobs share a GPU",
            "Request whole GPUs. If the cluster has time-slicing, MIG or HAMi, an administrator sets"
            " `gpu.fractions` in values.yml.",
        )
    return _filled(amounts, parts)


def _filled(amounts: Mapping[str, str], parts: int) -> dict[str, str]:
    percent = str(100 // parts)
    return {
        resource: str(amount).replace(_PERCENT, percent)
        for resource, amount in amounts.items()
    }
