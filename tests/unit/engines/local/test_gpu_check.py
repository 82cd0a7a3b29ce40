"""The check of `riseml doctor` for GPUs."""

import os
import pwd
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from riseml import settings
from riseml.engines.local import gpu_check
from riseml.gpus import detection
from tests.fake_nvml import MIB, Card, install

FIRST = "GPU-11111111-aaaa-bbbb-cccc-000000000001"
ME = pwd.getpwuid(os.getuid()).pw_name


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the home of a machine that seems to have a driver of NVIDIA."""
    monkeypatch.setattr(detection, "_NVIDIA_FILES", ("proc/self",))
    for name in ("CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES", "RISEML_GPUS"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def check(home: Path, **environment: str) -> tuple[str, str, str]:
    loaded = settings.load(environment={"RISEML_HOME": str(home), **environment})
    outcome = gpu_check.gpus(loaded)
    return outcome.result, outcome.detail, outcome.fix


def test_the_cards_and_the_means_are_listed(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a10 = Card("GPU-2", "NVIDIA A10", total=24_000_000_000)
    install(monkeypatch, Card(FIRST, total=141_000_000_000), a10)
    cards = "0 NVIDIA H200 (141 GB), 1 NVIDIA A10 (24 GB)"
    assert check(home) == ("ok", f"2 GPUs by NVML, driver 550.54.15: {cards}", "")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert check(home)[1] == (
        "1 GPU by NVML, driver 550.54.15, 1 hidden by CUDA_VISIBLE_DEVICES=1: 1 NVIDIA A10 (24 GB)"
    )


def test_a_machine_without_gpus_is_fine(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(detection, "_NVIDIA_FILES", ())
    assert check(home) == ("ok", "none", "")


@pytest.mark.parametrize(
    ("fault", "advice"),
    [
        (
            "RM has detected an NVML/RM version mismatch.",
            "The driver was updated while its old kernel module is loaded: restart the machine.",
        ),
        (
            "Insufficient Permissions",
            "Let an administrator give you access to the devices /dev/nvidia*.",
        ),
        (
            "Driver Not Loaded",
            "Load the driver's kernel module with `sudo modprobe nvidia`, or reinstall the driver.",
        ),
        (
            "Unknown Error",
            "`nvidia-smi` or `amd-smi` may show more; RISEML_GPUS names GPUs that RiseML does not find.",
        ),
    ],
)
def test_an_error_of_the_driver_has_advice(
    fault: str, advice: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    install(monkeypatch).fault = fault
    detail = f"none; NVML: {fault}; nvidia-smi is not installed"
    assert check(home) == ("warning", detail, advice)


@pytest.fixture
def program() -> Iterator[int]:
    """Return the pid of a program that waits."""
    with subprocess.Popen(["sleep", "100"]) as process:
        yield process.pid
        process.kill()


def test_a_program_of_others_is_named(
    program: int, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = Card(FIRST, total=8000 * MIB, computing={program: 3_000_000_000})
    install(monkeypatch, card)
    detail = (
        "1 GPU by NVML, driver 550.54.15: 0 NVIDIA H200 (8 GB);"
        f" GPU 0 is in use by sleep (pid {program}, user {ME}, 3000 MB)"
    )
    assert check(home) == (
        "warning",
        detail,
        "Jobs wait until it ends. `riseml config set gpus.shared_with_others true` lets them use these GPUs as well.",
    )
    assert check(home, RISEML_GPUS_SHARED_WITH_OTHERS="true") == ("ok", detail, "")
