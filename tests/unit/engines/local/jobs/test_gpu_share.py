"""Variables of jobs that share a GPU."""

from decimal import Decimal
from pathlib import Path

import pytest

from riseml.engines.local.jobs.gpu_share import GpuShare, gpu_share
from riseml.gpus import Gpu
from riseml.plan import Resources

GB = 1_000_000_000


def fake_python(folder: Path, *versions: str) -> dict[str, str]:
    """Return an environment whose Python has some versions of PyTorch."""
    python = folder / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\n")
    python.chmod(0o755)
    for version in versions:
        (folder / f"lib/python3.12/site-packages/torch-{version}.dist-info").mkdir(
            parents=True
        )
    return {"PATH": str(python.parent)}


@pytest.mark.parametrize(
    ("parts", "mem", "card_mem", "fraction"),
    [
        # 0.9 of the share, where the memory of the card is not known.
        (4, 0, 0, "0.2250"),
        # 0.9 of 35.25 GB of 141 GB.
        (4, 0, 141 * GB, "0.2250"),
        # 4 GB of 16 GB, less 0.6 GB for the CUDA context.
        (4, 0, 16 * GB, "0.2125"),
        # 8 GB of 16 GB, less 0.8 GB.
        (4, 8 * GB, 16 * GB, "0.4500"),
        # Half of a share that is smaller than a context.
        (20, 0, 16 * GB, "0.0250"),
    ],
)
def test_a_framework_takes_less_than_its_share(
    parts: int, mem: int, card_mem: int, fraction: str
) -> None:
    assert GpuShare(parts, mem, card_mem).variables({}) == {
        "XLA_PYTHON_CLIENT_MEM_FRACTION": fraction,
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
    }


@pytest.mark.parametrize(
    ("versions", "is_set"),
    [
        (["2.10.0"], True),
        (["2.11.0+cu130"], True),
        (["2.9.1+cu128"], False),
        (["2.9.1", "2.10.0"], False),
        ([], False),
    ],
)
def test_only_versions_of_pytorch_that_know_the_option_get_it(
    tmp_path: Path, versions: list[str], is_set: bool
) -> None:
    variables = GpuShare(2, 0, 0).variables(fake_python(tmp_path, *versions))
    expected = "per_process_memory_fraction:0.4500" if is_set else None
    assert variables.get("PYTORCH_ALLOC_CONF") == expected


def test_variables_of_the_user_stay_as_they_are(tmp_path: Path) -> None:
    python = fake_python(tmp_path, "2.10.0")
    share = GpuShare(2, 0, 0)
    for allocator in ("PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF"):
        env = {
            **python,
            "XLA_PYTHON_CLIENT_MEM_FRACTION": ".8",
            "TF_FORCE_GPU_ALLOW_GROWTH": "false",
            allocator: "",
        }
        assert {**share.variables(env), **env} == env


def test_jax_gets_one_of_its_two_variables_only() -> None:
    variables = GpuShare(4, 0, 0).variables({"XLA_CLIENT_MEM_FRACTION": ".2"})
    assert variables == {"TF_FORCE_GPU_ALLOW_GROWTH": "true"}


def test_the_processes_of_a_worker_have_one_share_together() -> None:
    variables = GpuShare(2, 0, 0).variables({"RISEML_PROCESSES": "3"})
    assert variables["XLA_PYTHON_CLIENT_MEM_FRACTION"] == "0.1500"


def test_only_a_part_of_a_card_is_a_share() -> None:
    gpu = Gpu("0", 0, mem=16 * GB)
    quarter = Resources(gpus=Decimal("0.25"), gpu_mem=3 * GB)
    assert gpu_share(quarter, [gpu]) == GpuShare(4, 3 * GB, 16 * GB)
    assert gpu_share(Resources(gpus=1), [gpu]) is None
    assert gpu_share(Resources(), []) is None
