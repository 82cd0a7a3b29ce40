"""Detection of the GPUs of this machine.

NVML, else nvidia-smi, else /proc/driver/nvidia ──┐
/sys/class/kfd with amd-smi or rocm-smi ──────────┴─▶ Gpu, … ──▶ those that variables allow
"""

import itertools
import os
from collections.abc import Mapping
from pathlib import Path

from riseml.dataclass import dataclass
from riseml.gpus.gpu import AMD, KFD, NVIDIA, Gpu
from riseml.gpus.system import DriverError, System
from riseml.gpus.visibility import limits, visible

# ruff: noqa: PLC0415 -- most machines have no card, and a controller starts without these modules

# Files of a machine with NVIDIA's driver; WSL2 has the device of Windows only.
_NVIDIA_FILES = ("proc/driver/nvidia", "dev/nvidiactl", "dev/dxg")
_AMD_TOOLS = ("amd-smi", "rocm-smi")
# Processors with graphics give these less memory of their own.
_LEAST_AMD_BYTES = 2 << 30


@dataclass(frozen=True)
class Detection:
    """The GPUs that may be used, by which means they were found, and what went wrong.

    `hidden` are further GPUs: those that variables of the environment do not allow, and
    the graphics of processors. `limits` names these variables if there are such.
    """

    gpus: tuple[Gpu, ...]
    means: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    hidden: tuple[Gpu, ...] = ()
    limits: str = ""


def detect(environment: Mapping[str, str], root: Path = Path("/")) -> tuple[Gpu, ...]:
    """Return the GPUs that programs with this environment may use.

    RISEML_GPUS (names, separated by commas) takes precedence over detection. The PATH
    of the environment finds the programs of the drivers.
    """
    return examine(environment, root).gpus


def examine(environment: Mapping[str, str], root: Path = Path("/")) -> Detection:
    """Return the GPUs like `detect`, and how they were found."""
    system = System(root, environment.get("PATH", ""))
    names = environment.get("RISEML_GPUS")
    if names is not None:
        return Detection(_named(names, system), ("RISEML_GPUS",))
    means: list[str] = []
    problems: list[str] = []
    gpus = [*_nvidia(system, means, problems), *_amd(system, means, problems)]
    allowed = visible(gpus, environment)
    usable = tuple(itertools.filterfalse(_is_graphics, allowed))
    hidden = tuple(gpu for gpu in gpus if gpu not in usable)
    hiding = limits(environment) if len(allowed) < len(gpus) else ""
    return Detection(usable, tuple(means), tuple(problems), hidden, hiding)


def _named(names: str, system: System) -> tuple[Gpu, ...]:
    vendor = NVIDIA
    if system.exists(KFD) and not _may_have_nvidia(system):
        vendor = AMD
    gpus = []
    for position, name in enumerate(filter(None, map(str.strip, names.split(",")))):
        index = int(name) if name.isdecimal() else position
        gpus.append(Gpu(name, index, vendor=vendor))
    return tuple(gpus)


def _may_have_nvidia(system: System) -> bool:
    return system.exists(*_NVIDIA_FILES) or bool(system.program("nvidia-smi"))


def _nvidia(system: System, means: list[str], problems: list[str]) -> list[Gpu]:
    if not _may_have_nvidia(system):
        return []
    for ask in (_ask_nvml, _ask_nvidia_smi, _ask_kernel):
        try:
            gpus, name, faults = ask(system)
        except DriverError as error:
            problems.append(str(error))
            continue
        means.append(name)
        problems += faults
        return gpus
    return []


Answer = tuple[list[Gpu], str, list[str]]
"""GPUs, who answered, and what is wrong with some cards."""


def _ask_nvml(_: System) -> Answer:
    from riseml.gpus import nvml

    with nvml.opened() as session:
        gpus = [device.gpu for device in session.devices()]
        return gpus, f"NVML, driver {session.driver()}", session.problems


def _ask_nvidia_smi(system: System) -> Answer:
    from riseml.gpus import nvidia_smi

    return nvidia_smi.gpus(system), nvidia_smi.NAME, []


def _ask_kernel(system: System) -> Answer:
    from riseml.gpus import proc_driver

    return proc_driver.gpus(system), f"/{proc_driver.FOLDER}", []


def _amd(system: System, means: list[str], problems: list[str]) -> list[Gpu]:
    tools = list(filter(system.program, _AMD_TOOLS))
    if not system.exists(KFD) and not tools:
        return []
    from riseml.gpus import amd

    gpus = amd.gpus(system)
    if not gpus:
        return []
    means.append(tools[0] if tools else "/sys/class/kfd")
    if not os.access(system.root / KFD, os.R_OK | os.W_OK):
        problems.append(f"/{KFD} cannot be opened")
    return gpus


def _is_graphics(gpu: Gpu) -> bool:
    """Return whether a GPU is a part of a processor, made for its screen."""
    return gpu.vendor == AMD and 0 < gpu.mem < _LEAST_AMD_BYTES
