"""Usage of resources that is recorded of a job when it has ended."""

from collections.abc import Mapping
from typing import Any

from riseml.dataclass import dataclass, field_names


@dataclass(frozen=True)
class Usage:
    """What a job that has ended used.

    `mem_peak` is in bytes, `cpu_mean` in cores. `gpu_util_mean` and `gpu_util_peak` are how
    many GPUs its processes kept busy, and `gpu_mem_peak` the bytes of their memory that
    they used; None where the job had no GPU, or nobody measured it.
    """

    mem_peak: int | None = None
    cpu_mean: float | None = None
    gpu_util_mean: float | None = None
    gpu_util_peak: float | None = None
    gpu_mem_peak: int | None = None

    def to_text(self) -> str:
        """Return the text that `from_text` reads; it has only what is known."""
        import json  # noqa: PLC0415

        known = {name: value for name, value in vars(self).items() if value is not None}
        return json.dumps(known, separators=(",", ":"))

    @classmethod
    def from_text(cls, text: str) -> "Usage | None":
        """Return what a text records, None if it records nothing."""
        # Lists of runs need neither.
        import json  # noqa: PLC0415

        try:
            data = json.loads(text)
        except ValueError:
            return None
        return cls.from_data(data) if isinstance(data, dict) else None

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> "Usage | None":
        """Return what a mapping records; values of other types are skipped."""
        names = field_names(cls)
        values: dict[str, Any] = {}
        for name, value in data.items():
            if name in names and isinstance(value, int | float):
                values[name] = value
        return cls(**values) if values else None
