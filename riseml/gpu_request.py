"""What a job requests of GPUs, in the annotations of its pods, and which cards are of a type.

    resources: {gpus: 0.25, gpu_mem: 8G, gpu_type: a100}

    riseml.io/gpus: "0.25", riseml.io/gpu-mem: 8G, riseml.io/gpu-type: a100

A cluster counts shares of a card under names of its own, so the limits of a pod do not
say how large a share is. A request for whole cards of any kind needs no annotations.
"""

import re
from collections.abc import Mapping
from functools import cache

from riseml import labels, quantities
from riseml.dataclass import replace
from riseml.resources import Resources

_BYTES_PER_GB = 1_000_000_000
_WORD = re.compile("[a-z0-9]+")


def annotations(resources: Resources) -> dict[str, str]:
    """Return the annotations of a pod; none if its limits say everything."""
    if not resources.gpus:
        return {}
    values = {}
    if resources.gpu_parts:
        values[labels.GPUS] = str(resources.gpus)
    if resources.gpu_mem:
        values[labels.GPU_MEM] = quantities.memory_text(resources.gpu_mem)
    if resources.gpu_type:
        values[labels.GPU_TYPE] = resources.gpu_type
    return values


def completed(resources: Resources, annotations: Mapping[str, str]) -> Resources:
    """Return the resources of a pod's limits with what its annotations say.

    Raises:
        ValueError: an annotation is not an amount.
    """
    share = annotations.get(labels.GPUS)
    if share is not None:
        resources = replace(resources, gpus=quantities.gpus_of(share))
    mem = quantities.bytes_of(annotations.get(labels.GPU_MEM, "0"))
    gpu_type = annotations.get(labels.GPU_TYPE, "")
    return replace(resources, gpu_mem=mem, gpu_type=gpu_type)


def is_of_type(name: str, gpu_type: str) -> bool:
    """Return whether the name of a card, or its label on a cluster, has all words of a type.

    Upper and lower case are the same. Words that follow each other may be joined:
    `rtx4090` is a "NVIDIA GeForce RTX 4090". `h100` is no "NVIDIA GH200".
    """
    if not gpu_type:
        return True
    return _joined_words(name).issuperset(_WORD.findall(gpu_type.lower()))


def kind_text(resources: Resources) -> str:
    """Return what a request says of its cards: `a100 with 24 GB`, or nothing."""
    mem = f"with {gigabytes(resources.gpu_mem)}" if resources.gpu_mem else ""
    return f"{resources.gpu_type} {mem}".strip()


def gigabytes(mem: int) -> str:
    """Return bytes as `24 GB` or `16.1 GB`."""
    return f"{round(mem / _BYTES_PER_GB, 1):g} GB"


@cache
def _joined_words(name: str) -> frozenset[str]:
    words = _WORD.findall(name.lower())
    joined = set()
    for start in range(len(words)):
        for end in range(start, len(words)):
            joined.add("".join(words[start : end + 1]))
    return frozenset(joined)
