"""Variables that keep frameworks from taking all memory of a card that jobs share.

    XLA_PYTHON_CLIENT_MEM_FRACTION   JAX takes this part of the card when it starts, and no more
    TF_FORCE_GPU_ALLOW_GROWTH        TensorFlow takes memory as it needs it, without a limit
    PYTORCH_ALLOC_CONF               PyTorch takes memory as it needs it, up to this part

Each is set only if the user has not set it.
"""

import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from riseml.dataclass import dataclass
from riseml.gpus import Gpu
from riseml.plan import Resources

# What a CUDA context with its libraries takes of a card beside the memory of a framework.
_CONTEXT_BYTES = 600_000_000
# What is left for it where the memory of the card is not known.
_USABLE = 0.9
# The new name of JAX's variable, which older versions do not know. JAX fails if both are set.
_JAX_VARIABLE = "XLA_CLIENT_MEM_FRACTION"
_ALLOCATOR_VARIABLES = frozenset({
    "PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF", "PYTORCH_HIP_ALLOC_CONF",
})  # fmt: skip
# The first version that knows `per_process_memory_fraction`; older ones fail to use
# the GPU when the variable has an option that they do not know.
_FIRST_TORCH = (2, 10)
_TORCH = re.compile(r"torch-(\d+)\.(\d+).*\.dist-info")
_DISTRIBUTIONS = "lib*/python3*/site-packages/torch-*.dist-info"


@dataclass(frozen=True)
class GpuShare:
    """A share of a card: `mem` bytes of all its `card_mem`, which is 0 if it is not known."""

    parts: int
    mem: int
    card_mem: int

    @property
    def usable(self) -> float:
        """The part of the card's memory that a framework may use itself."""
        if not self.card_mem:
            return _USABLE / self.parts
        mem = self.mem or self.card_mem // self.parts
        usable_mem = min(mem * _USABLE, mem - _CONTEXT_BYTES)
        # A share may be smaller than what a context usually takes.
        return max(usable_mem, mem / 2) / self.card_mem

    def variables(self, env: Mapping[str, str]) -> dict[str, str]:
        """Return variables for a job, whose environment `env` takes precedence."""
        # The processes of a worker have one share together.
        processes = int(env.get("RISEML_PROCESSES", "1"))
        fraction = f"{self.usable / processes:.4f}"
        values = {"TF_FORCE_GPU_ALLOW_GROWTH": "true"}
        if _JAX_VARIABLE not in env:
            values["XLA_PYTHON_CLIENT_MEM_FRACTION"] = fraction
        if _ALLOCATOR_VARIABLES.isdisjoint(env) and _has_new_torch(env):
            option = f"per_process_memory_fraction:{fraction}"
            values["PYTORCH_ALLOC_CONF"] = option
        return values


def gpu_share(request: Resources, gpus: Sequence[Gpu]) -> GpuShare | None:
    """Return the share of a card that a job was given, None if it has whole cards or none."""
    if not request.gpu_parts or not gpus:
        return None
    return GpuShare(request.gpu_parts, request.gpu_mem, gpus[0].mem)


def _has_new_torch(env: Mapping[str, str]) -> bool:
    """Return whether the Python of an environment has only versions of PyTorch that know the option."""
    versions = set(_torch_versions(env))
    return bool(versions) and min(versions) >= _FIRST_TORCH


def _torch_versions(env: Mapping[str, str]) -> Iterator[tuple[int, int]]:
    find = partial(shutil.which, path=env.get("PATH", ""))
    for python in filter(None, map(find, ("python", "python3"))):
        prefix = Path(python).parent.parent
        for folder in prefix.glob(_DISTRIBUTIONS):
            match = _TORCH.fullmatch(folder.name)
            if match is not None:
                yield int(match[1]), int(match[2])
