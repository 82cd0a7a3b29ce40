"""Environment variables by which a job sees its own GPUs, and no others."""

from collections.abc import Sequence
from pathlib import Path

from riseml.gpus.gpu import AMD, KFD, NVIDIA, Gpu, of_vendor
from riseml.gpus.visibility import CUDA, HIP, ROCR

# HIP takes an empty variable as not set, and this as a number of no card.
_NO_CARD = "-1"


def job_variables(gpus: Sequence[Gpu], root: Path = Path("/")) -> dict[str, str]:
    """Return the variables that show exactly these GPUs to a job.

    CUDA then numbers cards in the order of nvidia-smi; its default is their speed. HIP
    numbers the cards that ROCr shows it, so its numbers begin with 0. Without a device of
    AMD, its variables are left out: some programs refuse them beside CUDA's.
    """
    variables = {
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
        CUDA: _ids(of_vendor(NVIDIA, gpus)),
    }
    amd = of_vendor(AMD, gpus)
    if amd or (root / KFD).exists():
        variables[ROCR] = _ids(amd)
        variables[HIP] = ",".join(map(str, range(len(amd)))) or _NO_CARD
    return variables


def _ids(gpus: Sequence[Gpu]) -> str:
    return ",".join(gpu.id for gpu in gpus)
