"""AMD's GPUs: the kernel's list of compute nodes, named by ROCm's tools.

    /sys/class/kfd (or amd-smi, rocm-smi) ──▶ Gpu, Gpu, …  in the order of ROCR_VISIBLE_DEVICES

ROCm's lowest library numbers the cards in the order of the kernel's list, and accepts
`GPU-` with the 16 digits of a card's unique id. Cheap cards have no unique id, and the
partitions of one card share it, so these are named by their number.
"""

from collections import Counter
from pathlib import Path

from riseml.dataclass import dataclass, replace
from riseml.gpus import rocm_tools
from riseml.gpus.gpu import AMD, Gpu
from riseml.gpus.rocm_tools import RocmCard
from riseml.gpus.system import System

_NODES = Path("sys/class/kfd/kfd/topology/nodes")
# Kinds of memory banks that belong to the card: visible to the processor, or not
_OWN_MEMORY = ("1", "2")


@dataclass(frozen=True)
class Node:
    """A GPU in the kernel's list; `number` is the one in its files about processes.

    `units` counts its compute units.
    """

    number: str
    unique_id: int
    bus: str
    mem: int
    architecture: str
    units: int


def gpus(system: System) -> list[Gpu]:
    """Return the GPUs that ROCm can use, in the order of ROCR_VISIBLE_DEVICES."""
    cards = rocm_tools.cards(system)
    nodes = topology(system)
    if not nodes:
        return _named(list(map(_gpu_of_card, cards)))
    by_bus = {card.bus: card for card in cards}
    gpus_in_order = []
    for index, node in enumerate(nodes):
        card = by_bus.get(node.bus, RocmCard(index))
        gpus_in_order.append(_gpu_of_node(system, node, card))
    return _named(gpus_in_order)


def topology(system: System) -> list[Node]:
    """Return the GPUs of the kernel's list; processors are in it, too."""
    nodes = []
    folders = [path for path in system.entries(_NODES) if path.name.isdigit()]
    for folder in sorted(folders, key=lambda path: int(path.name)):
        values = _properties(system.read(folder / "properties"))
        # A container may not use all cards; the kernel shows it no number of the others.
        number = system.read(folder / "gpu_id")
        simds = int(values.get("simd_count", 0))
        if simds == 0 or number in {"", "0"}:
            continue
        node = Node(
            number=number,
            unique_id=int(values.get("unique_id", 0)),
            bus=_address(values),
            mem=_memory(system, folder),
            architecture=_architecture(values.get("gfx_target_version", "")),
            units=simds // max(int(values.get("simd_per_cu", 0)), 1),
        )
        nodes.append(node)
    return nodes


def _gpu_of_node(system: System, node: Node, card: RocmCard) -> Gpu:
    product = system.read(f"sys/bus/pci/devices/{node.bus}/product_name")
    return Gpu(
        id=_uuid(node.unique_id),
        index=card.index,
        name=card.name or product or f"AMD {node.architecture}",
        vendor=AMD,
        mem=node.mem,
        bus=node.bus,
    )


def _gpu_of_card(card: RocmCard) -> Gpu:
    uuid = _uuid(card.unique_id)
    return Gpu(uuid, card.index, card.name, AMD, card.mem, card.bus)


def _uuid(unique_id: int) -> str:
    return f"GPU-{unique_id:016x}" if unique_id else ""


def _named(gpus_in_order: list[Gpu]) -> list[Gpu]:
    """Name cards by their number if their unique id is missing or not unique."""
    counts = Counter(gpu.id for gpu in gpus_in_order)
    named = []
    for position, gpu in enumerate(gpus_in_order):
        is_unique = gpu.id and counts[gpu.id] == 1
        named.append(gpu if is_unique else replace(gpu, id=str(position)))
    return named


def _properties(text: str) -> dict[str, str]:
    """Return the values of lines `name value`."""
    values = {}
    for line in text.splitlines():
        name, _, value = line.partition(" ")
        values[name] = value.strip()
    return values


def _address(values: dict[str, str]) -> str:
    location = int(values.get("location_id", 0))
    bus, device, function = location >> 8, location >> 3 & 31, location & 7
    domain = int(values.get("domain", 0))
    return f"{domain:04x}:{bus & 255:02x}:{device:02x}.{function}"


def _memory(system: System, folder: Path) -> int:
    total = 0
    for bank in system.entries(folder / "mem_banks"):
        values = _properties(system.read(bank / "properties"))
        if values.get("heap_type") in _OWN_MEMORY:
            total += int(values.get("size_in_bytes", 0))
    return total


def _architecture(version: str) -> str:
    """Return the name of an architecture: 90402 is gfx942, its last digits are hexadecimal."""
    if not version.isdigit():
        return "GPU"
    number = int(version)
    major, minor, step = number // 10000, number // 100 % 100, number % 100
    return f"gfx{major}{minor:x}{step:x}"
