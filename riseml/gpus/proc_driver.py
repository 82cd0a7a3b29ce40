"""NVIDIA's kernel module in /proc/driver: the cards, where no library can be asked."""

from riseml.gpus.gpu import NVIDIA, Gpu
from riseml.gpus.system import System, pci_address

FOLDER = "proc/driver/nvidia/gpus"


def gpus(system: System) -> list[Gpu]:
    """Return the cards; the kernel module says neither their memory nor their slices."""
    cards: list[Gpu] = []
    # The folders are named after PCI addresses, whose order is that of nvidia-smi.
    for folder in system.entries(FOLDER):
        values = _values(system.read(folder / "information"))
        if values.get("GPU Excluded") == "Yes":
            continue
        uuid = values.get("GPU UUID", "")
        index = len(cards)
        # A card that no process has used yet has no UUID: GPU-????????-????-…
        is_known = uuid and "?" not in uuid
        gpu = Gpu(
            id=uuid if is_known else str(index),
            index=index,
            name=values.get("Model", ""),
            vendor=NVIDIA,
            bus=pci_address(values.get("Bus Location") or folder.name),
        )
        cards.append(gpu)
    return cards


def _values(text: str) -> dict[str, str]:
    """Return the values of lines `Name: <blanks> value`."""
    values = {}
    for line in text.splitlines():
        name, _, value = line.partition(":")
        values[name.strip()] = value.strip()
    return values
