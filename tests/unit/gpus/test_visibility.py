"""Variables that choose GPUs."""

import pytest

from riseml.gpus import AMD, Gpu
from riseml.gpus.visibility import limits, visible

NVIDIA_CARDS = (
    Gpu("GPU-8932f937-d72c", 0),
    Gpu("GPU-8932aaaa-0000", 1),
    Gpu("MIG-11", 2),
    Gpu("MIG-22", 2),
)
AMD_CARDS = tuple(
    Gpu(f"GPU-000000000000000{number}", 9 - number, vendor=AMD) for number in range(3)
)


@pytest.mark.parametrize(
    ("text", "indices"),
    [
        ("0", [0]),
        ("1,0", [0, 1]),
        ("2", [2, 2]),
        ("", []),
        ("-1", []),
        ("none", []),
        ("void", []),
        ("NoDevFiles", []),
        ("0,-1,1", [0]),
        ("0,9,1", [0]),
        ("9,0", []),
        ("0,0", []),
        ("GPU-8932f", [0]),
        ("GPU-8932", []),
        ("1,GPU-8932f937-d72c", [0, 1]),
        ("MIG-2", [2]),
        (" 1 , 0 ", [0, 1]),
    ],
)
def test_a_list_of_cuda(text: str, indices: list[int]) -> None:
    gpus = visible(NVIDIA_CARDS, {"CUDA_VISIBLE_DEVICES": text})
    assert [gpu.index for gpu in gpus] == indices


@pytest.mark.parametrize(
    ("text", "indices"),
    [
        ("all", [0, 1]),
        ("void", []),
        ("none", []),
        ("", []),
        ("1", [1]),
        ("GPU-8932f", [0]),
        # A container with two of the machine's cards: the engine has applied it.
        ("4,6", [0, 1]),
    ],
)
def test_a_list_of_a_container(text: str, indices: list[int]) -> None:
    gpus = visible(NVIDIA_CARDS[:2], {"NVIDIA_VISIBLE_DEVICES": text})
    assert [gpu.index for gpu in gpus] == indices


@pytest.mark.parametrize(
    ("environment", "positions"),
    [
        ({"ROCR_VISIBLE_DEVICES": "0,2"}, [0, 2]),
        ({"ROCR_VISIBLE_DEVICES": "GPU-0000000000000001"}, [1]),
        ({"ROCR_VISIBLE_DEVICES": ""}, []),
        # HIP counts what ROCr has left.
        ({"ROCR_VISIBLE_DEVICES": "1,2", "HIP_VISIBLE_DEVICES": "0"}, [1]),
        ({"ROCR_VISIBLE_DEVICES": "1", "HIP_VISIBLE_DEVICES": "1"}, []),
        ({"HIP_VISIBLE_DEVICES": "-1"}, []),
        ({"HIP_VISIBLE_DEVICES": "1", "CUDA_VISIBLE_DEVICES": "2"}, [1]),
        ({"CUDA_VISIBLE_DEVICES": "2"}, [2]),
        # HIP takes empty variables as not set.
        ({"HIP_VISIBLE_DEVICES": "", "CUDA_VISIBLE_DEVICES": ""}, [0, 1, 2]),
    ],
)
def test_lists_of_rocm(environment: dict[str, str], positions: list[int]) -> None:
    gpus = visible(AMD_CARDS, environment)
    assert gpus == tuple(AMD_CARDS[position] for position in positions)


def test_variables_of_one_vendor_leave_the_other_alone() -> None:
    gpus = (*NVIDIA_CARDS, *AMD_CARDS)
    assert visible(gpus, {"ROCR_VISIBLE_DEVICES": ""}) == NVIDIA_CARDS
    assert visible(gpus, {"NVIDIA_VISIBLE_DEVICES": "void"}) == AMD_CARDS
    assert visible(gpus, {}) == gpus


def test_variables_are_named_in_messages() -> None:
    environment = {
        "CUDA_VISIBLE_DEVICES": "0",
        "PATH": "/bin",
        "HIP_VISIBLE_DEVICES": "",
    }
    assert limits(environment) == "CUDA_VISIBLE_DEVICES=0, HIP_VISIBLE_DEVICES="
