"""ROCm's tools amd-smi and rocm-smi: names, memory and addresses of AMD's cards."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from riseml.dataclass import dataclass
from riseml.gpus.system import DriverError, System, pci_address

_AMD_SMI = ("static", "--asic", "--bus", "--vram", "--json")
_ROCM_SMI = (
    "--showproductname", "--showuniqueid", "--showbus", "--showmeminfo", "vram", "--json",
)  # fmt: skip
_UNITS = {"KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30}
_CARD = re.compile(r"card(\d+)")


@dataclass(frozen=True)
class RocmCard:
    """A card as the tools describe it; `unique_id` is 0 if it has none."""

    index: int
    name: str = ""
    bus: str = ""
    mem: int = 0
    unique_id: int = 0


def cards(system: System) -> list[RocmCard]:
    """Return the cards that the first tool knows which answers; nothing without tools."""
    for read in (_amd_smi, _rocm_smi):
        try:
            return list(read(system))
        # What a tool prints changes from version to version.
        except (DriverError, ValueError, KeyError, TypeError, AttributeError):
            continue
    return []


def _amd_smi(system: System) -> Iterator[RocmCard]:
    content = _json(system.output("amd-smi", *_AMD_SMI))
    # Newer versions put the list into an object.
    entries = content["gpu_data"] if isinstance(content, dict) else content
    for entry in entries:
        asic, size = entry["asic"], entry["vram"]["size"]
        yield RocmCard(
            index=int(entry["gpu"]),
            name=_known(asic.get("market_name")),
            bus=pci_address(entry["bus"]["bdf"]),
            mem=int(size["value"]) * _UNITS[size["unit"]],
            unique_id=_hexadecimal(asic.get("asic_serial")),
        )


def _rocm_smi(system: System) -> Iterator[RocmCard]:
    content = _json(system.output("rocm-smi", *_ROCM_SMI))
    for key, values in content.items():
        match = _CARD.fullmatch(key)
        if not match:
            continue
        field = _field_of(values)
        yield RocmCard(
            index=int(match[1]),
            name=_known(field("card series")),
            bus=pci_address(field("pci bus")),
            mem=int(field("vram total memory (b)") or 0),
            unique_id=_hexadecimal(field("unique id")),
        )


def _field_of(values: Mapping[str, str]) -> Callable[[str], str]:
    # Versions differ in the case of the names.
    lowered = {name.lower(): value for name, value in values.items()}
    return lambda name: lowered.get(name, "")


def _json(text: str) -> Any:
    """Return the JSON value after warnings that tools print before it.

    Its shape is the tool's own, and what does not have it raises an error of Python.
    """
    start = re.search(r"^[\[{]", text, re.MULTILINE)
    return json.loads(text[start.start() :] if start else text)


def _known(text: str | None) -> str:
    return "" if text is None or text == "N/A" else text


def _hexadecimal(text: str | None) -> int:
    try:
        return int(text or "0", 16)
    except ValueError:
        return 0
