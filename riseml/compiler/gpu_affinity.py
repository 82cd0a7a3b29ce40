"""Requirements of a job on the GPUs of its node: affinity to the labels of nodes."""

from riseml.compiler import lazy_hera  # noqa: F401 - it loads Hera, for all imports below

# isort: split
from hera.workflows.models import (
    Affinity,
    NodeAffinity,
    NodeSelector,
    NodeSelectorRequirement,
    NodeSelectorTerm,
)

from riseml.compiler import gpus
from riseml.plan import Resources, Target

MEMORY = "nvidia.com/gpu.memory"
_BYTES_PER_MIB = 1 << 20


def affinity(resources: Resources, target: Target, base: Affinity) -> Affinity:
    """Return `base` with the requirements of a job on the GPUs of its node."""
    if not resources.gpus:
        return base
    requirements = []
    if resources.gpu_type:
        names = gpus.products(resources.gpu_type, target)
        requirements.append(_requirement(gpus.PRODUCT, "In", names))
    if resources.gpu_mem:
        # The label is in MiB, and Kubernetes has no operator for "at least".
        least = -(-resources.gpu_mem // _BYTES_PER_MIB)
        requirements.append(_requirement(MEMORY, "Gt", [str(least - 1)]))
    if not requirements:
        return base
    term = NodeSelectorTerm(match_expressions=requirements)
    preferred = None
    if base.node_affinity is not None:
        preferred = (
            base.node_affinity.preferred_during_scheduling_ignored_during_execution
        )
    node_affinity = NodeAffinity(
        required_during_scheduling_ignored_during_execution=NodeSelector(
            node_selector_terms=[term]
        ),
        preferred_during_scheduling_ignored_during_execution=preferred,
    )
    return Affinity(node_affinity=node_affinity, pod_affinity=base.pod_affinity)


def _requirement(
    label: str, operator: str, values: list[str]
) -> NodeSelectorRequirement:
    return NodeSelectorRequirement(key=label, operator=operator, values=values)
