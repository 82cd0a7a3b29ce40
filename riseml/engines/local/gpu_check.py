"""The check of `riseml doctor` for GPUs: which there are, how they were found, and who uses them."""

import os
from pathlib import Path

from riseml.doctor.findings import Outcome, ok, warning
from riseml.engines.local.controller.gpu_survey import ask_drivers
from riseml.engines.local.own_jobs import identity, own_choice
from riseml.gpus import Gpu
from riseml.gpus.detection import Detection, examine
from riseml.phrases import plural
from riseml.settings import Settings

# Words of errors of the drivers, and what helps
_ADVICE = {
    "mismatch": "The driver was updated while its old kernel module is loaded: restart the machine.",
    "permission": "Let an administrator give you access to the devices /dev/nvidia*.",
    "/dev/kfd": "Let an administrator add you to the group that owns /dev/kfd (`sudo usermod -aG render $USER`).",
    "not loaded": "Load the driver's kernel module with `sudo modprobe nvidia`, or reinstall the driver.",
    "library not found": (
        "Install the driver's library libnvidia-ml (Debian: libnvidia-ml1), or add its folder to LD_LIBRARY_PATH."
    ),
    "lost": "Restart the machine. If the card is lost again, it or its power supply is faulty.",
    "has mig enabled": "Until then, jobs cannot use this card.",
}
_UNKNOWN = "`nvidia-smi` or `amd-smi` may show more; RISEML_GPUS names GPUs that RiseML does not find."
_SHARE = "Jobs wait until it ends. `riseml config set gpus.shared_with_others true` lets them use these GPUs as well."
_BYTES_PER_GB = 1_000_000_000


def gpus(settings: Settings) -> Outcome:
    """GPUs of this machine."""
    detection = examine(own_choice(os.environ, identity(settings.home)))
    problems = "; ".join(detection.problems)
    users = _users(detection.gpus, settings.home)
    description = _description(detection)
    detail = "; ".join(filter(None, (description, problems, users)))
    if problems:
        return warning(detail, _advice(problems))
    if users and not settings.gpus_shared_with_others:
        return warning(detail, _SHARE)
    return ok(detail)


def _description(detection: Detection) -> str:
    """Return the GPUs, such as `1 GPU by nvidia-smi: 0 NVIDIA A10 (24 GB)`."""
    count = len(detection.gpus)
    hidden = f", {len(detection.hidden)} hidden" if detection.hidden else ""
    if detection.limits:
        hidden += f" by {detection.limits}"
    if not count:
        return f"none{hidden}"
    means = " and ".join(detection.means)
    cards = ", ".join(map(_card, detection.gpus))
    return f"{plural(count, 'GPU')} by {means}{hidden}: {cards}"


def _card(gpu: Gpu) -> str:
    size = f" ({round(gpu.mem / _BYTES_PER_GB)} GB)" if gpu.mem else ""
    return f"{gpu.index} {gpu.name or gpu.id}{size}"


def _users(gpus_found: tuple[Gpu, ...], folder: Path) -> str:
    if not gpus_found:
        return ""
    holders = ask_drivers(identity(folder))(gpus_found, ())
    return "; ".join(map(str, holders.values()))


def _advice(problems: str) -> str:
    for word, advice in _ADVICE.items():
        if word in problems.lower():
            return advice
    return _UNKNOWN
