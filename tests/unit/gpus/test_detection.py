"""Detection of GPUs."""

from pathlib import Path

import pytest

from riseml.gpus import AMD, NVIDIA, Gpu
from riseml.gpus.detection import detect, examine
from tests.fake_drivers import add_nvidia_card, add_program, write
from tests.fake_nvml import MIB, Card, install

FIRST = "GPU-11111111-aaaa-bbbb-cccc-000000000001"
SECOND = "GPU-22222222-aaaa-bbbb-cccc-000000000002"
SLICE_A = "MIG-aaaaaaaa-0000-5000-8000-000000000001"
SLICE_B = "MIG-bbbbbbbb-0000-5000-8000-000000000002"
MISMATCH = "Driver/library version mismatch"

TABLE = f"""0, {FIRST}, NVIDIA GeForce RTX 4090, 24564, 00000000:01:00.0, [N/A]
1, {SECOND}, NVIDIA A100-SXM4-40GB, 40960, 00000000:41:00.0, Enabled
"""
LIST = f"""GPU 0: NVIDIA GeForce RTX 4090 (UUID: {FIRST})
GPU 1: NVIDIA A100-SXM4-40GB (UUID: {SECOND})
  MIG 3g.20gb     Device  0: (UUID: {SLICE_A})
  MIG 1g.5gb      Device  1: (UUID: {SLICE_B})
"""
TABLE_GPUS = (
    Gpu(FIRST, 0, "NVIDIA GeForce RTX 4090", NVIDIA, 24564 * MIB, "0000:01:00.0"),
    Gpu(SLICE_A, 1, "NVIDIA A100-SXM4-40GB MIG 3g.20gb", NVIDIA, 20_000_000_000, "0000:41:00.0"),
    Gpu(SLICE_B, 1, "NVIDIA A100-SXM4-40GB MIG 1g.5gb", NVIDIA, 5_000_000_000, "0000:41:00.0"),
)  # fmt: skip


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return the root of a machine with NVIDIA's kernel module."""
    write(tmp_path / "proc/driver/nvidia/version", "NVRM version: 550.54.15\n")
    return tmp_path


def test_names_of_the_user_take_precedence(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, Card(FIRST))
    environment = {"RISEML_GPUS": "3, GPU-5", "CUDA_VISIBLE_DEVICES": "0"}
    assert detect(environment, root) == (Gpu("3", 3), Gpu("GPU-5", 1))
    assert detect({"RISEML_GPUS": ""}, root) == ()


def test_nvml_describes_cards(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    second = Card(SECOND, "NVIDIA A10", "00000001:41:00.0", total=500)
    nvml = install(monkeypatch, Card(FIRST), second)
    detection = examine({}, root)
    assert detection.gpus == (
        Gpu(FIRST, 0, "NVIDIA H200", NVIDIA, 1000 * MIB, "0000:65:00.0"),
        Gpu(SECOND, 1, "NVIDIA A10", NVIDIA, 500, "0001:41:00.0"),
    )
    assert detection.means == ("NVML, driver 550.54.15",)
    assert detection.problems == ()
    assert detection.hidden == ()
    assert nvml.sessions == 0


def test_a_card_with_mig_offers_its_slices(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slices = [
        Card(SLICE_A, "NVIDIA H200 MIG 3g.71gb", total=71),
        Card(SLICE_B, "NVIDIA H200 MIG 1g.18gb", total=18),
    ]
    install(
        monkeypatch,
        Card(FIRST, slices=slices, mig=True),
        Card(SECOND, mig=False, bus="00000000:66:00.0"),
    )
    assert detect({}, root) == (
        Gpu(SLICE_A, 0, "NVIDIA H200 MIG 3g.71gb", NVIDIA, 71, "0000:65:00.0"),
        Gpu(SLICE_B, 0, "NVIDIA H200 MIG 1g.18gb", NVIDIA, 18, "0000:65:00.0"),
        Gpu(SECOND, 1, "NVIDIA H200", NVIDIA, 1000 * MIB, "0000:66:00.0"),
    )


def test_a_card_with_mig_and_without_slices_is_a_problem(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, Card(FIRST, slices=[], mig=True))
    detection = examine({}, root)
    assert detection.gpus == ()
    assert detection.problems == (
        "GPU 0 has MIG enabled and no slices: make some with `nvidia-smi mig -cgi PROFILE -C`",
    )


def test_a_lost_card_does_not_hide_the_others(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, Card(FIRST, fault="GPU is lost"), Card(SECOND))
    detection = examine({}, root)
    assert [(gpu.id, gpu.index) for gpu in detection.gpus] == [(SECOND, 1)]
    assert detection.problems == ("GPU 0: GPU is lost",)


def test_nvidia_smi_replaces_nvml(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch).fault = "NVML Shared Library Not Found"
    program = root / "bin/nvidia-smi"
    add_program(program, {"--query-gpu=index,uuid,name": TABLE, "-L": LIST})
    detection = examine({"PATH": str(root / "bin")}, root)
    assert detection.gpus == TABLE_GPUS
    assert detection.means == ("nvidia-smi",)
    assert detection.problems == ("NVML: NVML Shared Library Not Found",)


def test_wsl2_has_nvidia_smi_in_a_folder_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no /proc/driver/nvidia, and the program is in no folder of the PATH."""
    install(monkeypatch).fault = "NVML Shared Library Not Found"
    write(tmp_path / "dev/dxg", "")
    row = f"0, {FIRST}, NVIDIA GeForce RTX 4070, 12282, 00000000:01:00.0, [N/A]\n"
    add_program(tmp_path / "usr/lib/wsl/lib/nvidia-smi", {"--query-gpu": row})
    assert detect({"PATH": "/nowhere"}, tmp_path) == (
        Gpu(FIRST, 0, "NVIDIA GeForce RTX 4070", NVIDIA, 12282 * MIB, "0000:01:00.0"),
    )


def test_the_kernel_module_is_asked_last(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch).fault = MISMATCH
    add_program(root / "bin/nvidia-smi", {}, f"Failed to initialize NVML: {MISMATCH}")
    add_nvidia_card(root, "0000:41:00.0", "GPU-????????-????-????-????-????????????")
    add_nvidia_card(root, "0000:01:00.0", FIRST)
    add_nvidia_card(root, "0000:21:00.0", SECOND, excluded="Yes")
    detection = examine({"PATH": str(root / "bin")}, root)
    assert detection.gpus == (
        Gpu(FIRST, 0, "NVIDIA A10", NVIDIA, 0, "0000:01:00.0"),
        Gpu("1", 1, "NVIDIA A10", NVIDIA, 0, "0000:41:00.0"),
    )
    assert detection.means == ("/proc/driver/nvidia/gpus",)
    assert detection.problems == (
        f"NVML: {MISMATCH}",
        f"nvidia-smi: Failed to initialize NVML: {MISMATCH}",
    )


def test_a_program_that_hangs_is_given_up(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("riseml.gpus.system._LIMIT_SECONDS", 0.1)
    install(monkeypatch).fault = "Unknown Error"
    program = root / "bin/nvidia-smi"
    write(program, "#!/bin/sh\nexec sleep 100\n")
    program.chmod(0o755)
    detection = examine({"PATH": f"{root / 'bin'}:/usr/bin:/bin"}, root)
    assert detection.gpus == ()
    assert detection.problems == (
        "NVML: Unknown Error",
        "nvidia-smi did not end within 0.1 seconds",
    )


def test_nvml_is_not_loaded_without_a_driver(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nvml = install(monkeypatch, Card(FIRST))
    assert examine({}, tmp_path).means == ()
    assert nvml.initializations == 0


def test_variables_hide_gpus(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, Card(FIRST), Card(SECOND))
    detection = examine({"CUDA_VISIBLE_DEVICES": "1"}, root)
    assert [gpu.id for gpu in detection.gpus] == [SECOND]
    assert [gpu.id for gpu in detection.hidden] == [FIRST]
    assert detection.limits == "CUDA_VISIBLE_DEVICES=1"


def test_vendors_may_be_mixed(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, Card(FIRST))
    row = (
        '{"card0": {"Card Series": "Radeon", "PCI Bus": "0000:03:00.0",'
        ' "VRAM Total Memory (B)": "25753026560", "Unique ID": "0x1"}}'
    )
    add_program(root / "bin/rocm-smi", {"--showbus": row})
    gpus = detect({"PATH": str(root / "bin")}, root)
    assert [(gpu.vendor, gpu.index) for gpu in gpus] == [(NVIDIA, 0), (AMD, 0)]
