"""Messages about what a machine lacks of GPUs: "a100 with 24 GB requested, this machine has 1 NVIDIA T4 (16 GB)"."""

from collections import Counter
from collections.abc import Iterable, Sequence

from riseml.gpu_request import gigabytes, kind_text
from riseml.gpus import Gpu
from riseml.resources import Resources


def impossible(request: Resources, count: int, gpus: Sequence[Gpu]) -> str:
    """Return that cards of a machine never suffice for `count` equal requests."""
    amount = _amount(request, count)
    if not request.gpu_type and not request.gpu_mem:
        return f"gpus: {amount} requested, this machine has {len(gpus)}"
    kind = kind_text(request)
    is_single = amount == "1" and request.gpu_type
    requested = kind if is_single else f"{amount} {kind}"
    return f"gpus: {requested} requested, this machine has {_inventory(gpus)}"


def impossible_together(
    requests: Iterable[tuple[Resources, int]], gpus: Sequence[Gpu]
) -> str:
    """Return that cards of a machine never suffice for counted requests at once."""
    parts = []
    for request, count in requests:
        parts.append(f"{_amount(request, count)} {kind_text(request)}".strip())
    requested = ", ".join(parts)
    inventory = _inventory(gpus)
    return f"gpus: {requested} requested at once, this machine has {inventory}"


def shortage(request: Resources, count: int, free: int) -> str:
    """Return how many whole cards equal requests need, and how many are free."""
    needed = count * request.whole_gpus
    kind = kind_text(request)
    if request.gpu_type:
        return f"{needed} {kind} needed, {free} free"
    noun = "gpu" if needed == 1 else "gpus"
    return f"{needed} {noun} {kind}".rstrip() + f" needed, {free} free"


def share_shortage(request: Resources, count: int, share: float, mem: int) -> str:
    """Return what is needed of one card, and the most that a card has: a share and bytes."""
    needed = f"{_amount(request, count)} gpus {kind_text(request)}".rstrip()
    free = f"{round(share, 2):g}"
    if request.gpu_mem:
        free = f"{free} and {gigabytes(mem)}"
    return f"{needed} needed, {free} free on one card"


def _amount(request: Resources, count: int) -> str:
    """Return how many GPUs equal requests need: `2`, `0.25`, or `3 times 0.25`."""
    if not request.gpu_parts:
        return str(count * request.whole_gpus)
    return str(request.gpus) if count == 1 else f"{count} times {request.gpus}"


def _inventory(gpus: Sequence[Gpu]) -> str:
    """Return the cards of a machine: `1 NVIDIA T4 (16 GB), 2 NVIDIA A10 (24 GB)`."""
    cards = Counter(map(_card, gpus))
    texts = [f"{count} {card}" for card, count in cards.items()]
    return ", ".join(texts) or "no GPU"


def _card(gpu: Gpu) -> str:
    name = gpu.name or "of unknown type"
    size = gigabytes(gpu.mem) if gpu.mem else "unknown memory"
    return f"{name} ({size})"
