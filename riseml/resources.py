"""Resources that a job requests."""

from typing import TYPE_CHECKING

from riseml.dataclass import dataclass, field

if TYPE_CHECKING:
    from decimal import Decimal

MOST_PARTS = 100
"""The largest number of jobs that may share a card."""


def _one() -> "Decimal":
    # Lists of runs have no resources, and loading `decimal` takes 1 ms.
    from decimal import Decimal  # noqa: PLC0415

    return Decimal(1)


@dataclass(frozen=True)
class Resources:
    """Resources of one job: cores, memory in bytes, and GPUs.

    `gpus` is a number of cards, or a Decimal below 1 for the n-th part of one card, as
    the user wrote it: `0.25`, or `0.33` for a third. Each card has at least `gpu_mem`
    bytes (0: any), of which a part of a card needs as many. `gpu_type` is its type, such
    as `a100`, empty for any.
    """

    cpus: "Decimal" = field(default_factory=_one)
    mem: int = 512_000_000
    gpus: "int | Decimal" = 0
    gpu_mem: int = 0
    gpu_type: str = ""

    @property
    def whole_gpus(self) -> int:
        """Number of cards that the job has to itself."""
        return int(self.gpus)

    @property
    def gpu_parts(self) -> int:
        """Number of equal parts of a card of which the job gets one; 0 if it gets none."""
        if self.gpus == self.whole_gpus:
            return 0
        return round(1 / self.gpus)

    @property
    def gpu_number(self) -> int | float:
        """The number of GPUs as JSON and YAML write it."""
        return self.whole_gpus if self.gpus == self.whole_gpus else float(self.gpus)

    @property
    def visible_gpus(self) -> int:
        """Number of cards that the job sees, whole or in part."""
        return self.whole_gpus or min(self.gpu_parts, 1)
