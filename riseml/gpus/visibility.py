"""Variables by which users and container engines choose GPUs for a program.

Entries are numbers, UUIDs, or the beginnings of UUIDs that fit to one card only. As in
CUDA and ROCm, a list ends at its first entry that names no card, so `-1`, `none` and
`void` hide the rest. A card that is named twice makes the list invalid.
"""

from collections.abc import Mapping, Sequence

from riseml.gpus.gpu import AMD, NVIDIA, Gpu, of_vendor

CUDA = "CUDA_VISIBLE_DEVICES"
CONTAINER = "NVIDIA_VISIBLE_DEVICES"
ROCR = "ROCR_VISIBLE_DEVICES"
HIP = "HIP_VISIBLE_DEVICES"
VARIABLES = (CUDA, CONTAINER, ROCR, HIP)

Numbered = Sequence[tuple[int, Gpu]]
"""GPUs with the numbers by which a variable may name them; slices share theirs."""


def visible(gpus: Sequence[Gpu], environment: Mapping[str, str]) -> tuple[Gpu, ...]:
    """Return the GPUs that a program with this environment may use, in their order."""
    nvidia, amd = of_vendor(NVIDIA, gpus), of_vendor(AMD, gpus)
    allowed = {*_visible_nvidia(nvidia, environment), *_visible_amd(amd, environment)}
    return tuple(gpu for gpu in gpus if gpu in allowed)


def named(entry: str, gpus: Sequence[Gpu]) -> list[Gpu]:
    """Return the GPU that an entry of a variable names; nothing, or several slices, too."""
    return _matches(_by_index(gpus), entry)


def limits(environment: Mapping[str, str]) -> str:
    """Return the variables that are set, as in `CUDA_VISIBLE_DEVICES=0`; "" if none is."""
    names = [name for name in VARIABLES if name in environment]
    return ", ".join(f"{name}={environment[name]}" for name in names)


def _visible_nvidia(gpus: list[Gpu], environment: Mapping[str, str]) -> list[Gpu]:
    given = environment.get(CONTAINER, "all")
    # A container engine numbers the cards of the whole machine, and those of a container
    # are numbered from 0. So a list as long as that of the cards is applied already.
    is_applied = given.count(",") + 1 == len(gpus)
    is_chosen = given not in {"void", "none", ""}
    if given != "all" and not (is_applied and is_chosen):
        gpus = _chosen(_by_index(gpus), given)
    if CUDA not in environment:
        return gpus
    return _chosen(_by_index(gpus), environment[CUDA])


def _visible_amd(gpus: list[Gpu], environment: Mapping[str, str]) -> list[Gpu]:
    """Return the cards that ROCr shows to HIP, and HIP to a program."""
    if ROCR in environment:
        gpus = _chosen(list(enumerate(gpus)), environment[ROCR])
    # HIP counts the cards that ROCr shows, and takes an empty variable as not set.
    chosen = environment.get(HIP) or environment.get(CUDA)
    if not chosen:
        return gpus
    return _chosen(list(enumerate(gpus)), chosen)


def _chosen(gpus: Numbered, text: str) -> list[Gpu]:
    chosen: list[Gpu] = []
    for entry in text.split(","):
        matches = _matches(gpus, entry.strip())
        if not matches:
            break
        if matches[0] in chosen:
            return []
        chosen += matches
    return chosen


def _matches(gpus: Numbered, entry: str) -> list[Gpu]:
    if entry.isdecimal():
        return [gpu for number, gpu in gpus if number == int(entry)]
    if not entry.upper().startswith(("GPU-", "MIG-")):
        return []
    matches = []
    for _, gpu in gpus:
        if gpu.id.lower().startswith(entry.lower()):
            matches.append(gpu)
    return matches if len(matches) == 1 else []


def _by_index(gpus: Sequence[Gpu]) -> Numbered:
    """Return GPUs with the numbers of nvidia-smi."""
    return [(gpu.index, gpu) for gpu in gpus]
