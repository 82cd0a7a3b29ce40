"""nvidia-smi, where NVML cannot be called from Python: its tables as rows of text."""

import csv
import re
from collections.abc import Iterator, Sequence

from riseml.gpus.gpu import NVIDIA, Gpu
from riseml.gpus.system import System, pci_address

NAME = "nvidia-smi"
_FIELDS = ("index", "uuid", "name", "memory.total", "pci.bus_id", "mig.mode.current")
_BYTES_PER_MIB = 1 << 20
_CARD = re.compile(r"GPU (\d+): .*\(UUID: (\S+)\)")
_SLICE = re.compile(r"\s+MIG (\S+)\s+Device\s+\d+: \(UUID: (\S+)\)")
# A profile such as 3g.20gb or 1g.5gb+me: compute units and memory
_PROFILE_MEMORY = re.compile(r"\.(\d+)gb")


def gpus(system: System) -> list[Gpu]:
    """Return the cards, and the slices of those with MIG.

    Raises:
        DriverError: nvidia-smi is not there or fails.
    """
    cards: list[Gpu] = []
    sliced: dict[int, Gpu] = {}
    for row in query(system, "gpu", _FIELDS):
        card = Gpu(
            id=row["uuid"],
            index=int(row["index"]),
            name=row["name"],
            vendor=NVIDIA,
            mem=bytes_of_mib(row["memory.total"]) or 0,
            bus=pci_address(row["pci.bus_id"]),
        )
        if row["mig.mode.current"] == "Enabled":
            sliced[card.index] = card
        else:
            cards.append(card)
    if sliced:
        cards += _slices(system.output(NAME, "-L"), sliced)
    return sorted(cards, key=lambda gpu: gpu.index)


def query(
    system: System, subject: str, fields: Sequence[str]
) -> Iterator[dict[str, str]]:
    """Yield the rows of a table, as texts by field.

    Raises:
        DriverError: nvidia-smi is not there or fails.
    """
    text = system.output(
        NAME, f"--query-{subject}={','.join(fields)}", "--format=csv,noheader,nounits"
    )
    for row in csv.reader(text.splitlines(), skipinitialspace=True):
        # There is also a line such as "No devices were found".
        if len(row) == len(fields):
            yield dict(zip(fields, row, strict=True))


def number(text: str) -> float | None:
    """Return a number of a table; None for `[N/A]` and the like."""
    try:
        return float(text)
    except ValueError:
        return None


def bytes_of_mib(text: str) -> int | None:
    """Return the bytes of a number of MiB; None for `[N/A]` and the like."""
    mib = number(text)
    return None if mib is None else int(mib * _BYTES_PER_MIB)


def _slices(text: str, cards: dict[int, Gpu]) -> Iterator[Gpu]:
    """Yield the slices of some cards from the list that `nvidia-smi -L` prints."""
    card: Gpu | None = None
    for line in text.splitlines():
        card_match = _CARD.match(line)
        if card_match:
            card = cards.get(int(card_match[1]))
        slice_match = _SLICE.match(line)
        if not slice_match or card is None:
            continue
        profile, uuid = slice_match.groups()
        memory = _PROFILE_MEMORY.search(profile)
        yield Gpu(
            id=uuid,
            index=card.index,
            name=f"{card.name} MIG {profile}",
            vendor=NVIDIA,
            # The actual memory is a little more than the profile's name says.
            mem=int(memory[1]) * 1_000_000_000 if memory else 0,
            bus=card.bus,
        )
