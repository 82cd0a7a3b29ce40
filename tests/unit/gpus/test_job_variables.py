"""Variables that jobs get."""

from pathlib import Path

from riseml.gpus import AMD, Gpu, job_variables
from tests.fake_drivers import write


def test_a_job_gets_uuids_in_the_order_of_nvidia_smi(tmp_path: Path) -> None:
    assert job_variables([Gpu("GPU-2", 2), Gpu("MIG-1", 1)], tmp_path) == {
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
        "CUDA_VISIBLE_DEVICES": "GPU-2,MIG-1",
    }


def test_hip_counts_the_cards_that_rocr_shows(tmp_path: Path) -> None:
    gpus = [Gpu("GPU-a", 4, vendor=AMD), Gpu("5", 5, vendor=AMD)]
    assert job_variables(gpus, tmp_path) == {
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
        "CUDA_VISIBLE_DEVICES": "",
        "ROCR_VISIBLE_DEVICES": "GPU-a,5",
        "HIP_VISIBLE_DEVICES": "0,1",
    }


def test_a_job_without_gpus_sees_none(tmp_path: Path) -> None:
    cuda = {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": ""}
    assert job_variables([], tmp_path) == cuda
    write(tmp_path / "dev/kfd", "")
    rocm = {"ROCR_VISIBLE_DEVICES": "", "HIP_VISIBLE_DEVICES": "-1"}
    assert job_variables([], tmp_path) == cuda | rocm
