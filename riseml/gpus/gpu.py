"""One GPU, or a MIG slice of one."""

from collections.abc import Iterable

from riseml.dataclass import dataclass

NVIDIA = "nvidia"
AMD = "amd"
KFD = "dev/kfd"
"""The device through which ROCm uses cards of AMD, below the root."""
IN_USE = "is in use by"
"""Words of a message that names who uses a GPU."""


@dataclass(frozen=True)
class Gpu:
    """A card that one job can use, or a MIG slice of a card.

    `id` is what CUDA_VISIBLE_DEVICES or ROCR_VISIBLE_DEVICES accepts: a UUID, or an index.
    `index` is the number of the card in the tools of its `vendor`; cards of different
    vendors may have the same one, and so have the slices of one card. `mem` is in bytes;
    0 if it is unknown. `bus` is the PCI address, such as `0000:65:00.0`. `name` and `bus`
    are empty if they are unknown.
    """

    id: str
    index: int
    name: str = ""
    vendor: str = NVIDIA
    mem: int = 0
    bus: str = ""

    @property
    def is_slice(self) -> bool:
        """Whether it is a MIG slice; CUDA shows a program one of these only."""
        return self.id.startswith("MIG-")


def of_vendor(vendor: str, gpus: Iterable[Gpu]) -> list[Gpu]:
    """Return the GPUs of a vendor, in their order."""
    return [gpu for gpu in gpus if gpu.vendor == vendor]
