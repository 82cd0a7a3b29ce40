"""AMD's GPUs."""

from pathlib import Path

import pytest

from riseml.gpus import AMD, Gpu, job_variables
from riseml.gpus.detection import detect, examine
from tests.fake_drivers import add_amd_node, add_program, amd_smi_answer, write

GIB = 1 << 30
MI300 = "AMD Instinct MI300X"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return the root of a machine with a processor and two cards of AMD."""
    write(tmp_path / "dev/kfd", "")
    add_amd_node(tmp_path, 0, gpu_id="0", simds=0)
    add_amd_node(
        tmp_path, 1, gpu_id="51", unique_id=0xF980F88EF31631A2, location=0xC301, vram=64 * GIB
    )  # fmt: skip
    add_amd_node(
        tmp_path, 10, gpu_id="52", unique_id=0x12, location=0x0300, vram=16 * GIB
    )
    return tmp_path


def test_the_kernel_describes_cards(root: Path) -> None:
    detection = examine({}, root)
    assert detection.gpus == (
        Gpu("GPU-f980f88ef31631a2", 0, "AMD gfx942", AMD, 64 * GIB, "0000:c3:00.1"),
        Gpu("GPU-0000000000000012", 1, "AMD gfx942", AMD, 16 * GIB, "0000:03:00.0"),
    )
    assert detection.means == ("/sys/class/kfd",)


def test_amd_smi_names_cards_and_numbers_them_in_its_own_order(root: Path) -> None:
    answer = amd_smi_answer(
        (0, "AMD Radeon PRO", "0000:03:00.0", 16384, "0x0000000000000012"),
        (1, MI300, "0000:c3:00.1", 65536, "0xF980F88EF31631A2"),
    )
    add_program(root / "opt/rocm/bin/amd-smi", {"static": answer})
    detection = examine({}, root)
    assert [(gpu.id, gpu.index, gpu.name) for gpu in detection.gpus] == [
        ("GPU-f980f88ef31631a2", 1, MI300),
        ("GPU-0000000000000012", 0, "AMD Radeon PRO"),
    ]
    assert detection.means == ("amd-smi",)


def test_the_tools_suffice(tmp_path: Path) -> None:
    answer = amd_smi_answer((0, MI300, "0000:C3:00.0", 196592, "0xABC"))
    add_program(tmp_path / "bin/amd-smi", {"static": answer})
    assert detect({"PATH": str(tmp_path / "bin")}, tmp_path) == (
        Gpu("GPU-0000000000000abc", 0, MI300, AMD, 196592 << 20, "0000:c3:00.0"),
    )


def test_rocm_smi_replaces_amd_smi(tmp_path: Path) -> None:
    """It prints warnings before its answer, and its names have other cases in other versions."""
    add_program(tmp_path / "bin/amd-smi", {})
    answer = (
        "WARNING: AMD GPU device(s) is/are in a low-power state.\n"
        '{"card1": {"Unique ID": "N/A", "Card series": "AMD Radeon RX 7900",'
        ' "PCI Bus": "0000:0B:00.0", "VRAM Total Memory (B)": "25753026560",'
        ' "VRAM Total Used Memory (B)": "0"}, "system": {"Driver version": "6.7"}}'
    )
    add_program(tmp_path / "bin/rocm-smi", {"--showmeminfo vram": answer})
    assert detect({"PATH": str(tmp_path / "bin")}, tmp_path) == (
        Gpu("0", 1, "AMD Radeon RX 7900", AMD, 25753026560, "0000:0b:00.0"),
    )


def test_cards_with_the_same_unique_id_are_named_by_number(tmp_path: Path) -> None:
    """The partitions of a card share its id, and ROCm refuses a name of two cards."""
    write(tmp_path / "dev/kfd", "")
    for node in (1, 2):
        add_amd_node(tmp_path, node, gpu_id=str(node), unique_id=7, vram=32 * GIB)
    add_amd_node(tmp_path, 3, gpu_id="3", unique_id=8, vram=32 * GIB)
    assert [gpu.id for gpu in detect({}, tmp_path)] == [
        "0",
        "1",
        "GPU-0000000000000008",
    ]


def test_the_graphics_of_a_processor_is_not_offered(root: Path) -> None:
    add_amd_node(root, 11, gpu_id="53", location=0x400, vram=GIB // 2)
    detection = examine({}, root)
    assert [gpu.index for gpu in detection.gpus] == [0, 1]
    assert detection.hidden == (
        Gpu("2", 2, "AMD gfx942", AMD, GIB // 2, "0000:04:00.0"),
    )


def test_a_card_that_a_container_may_not_use_is_not_counted(root: Path) -> None:
    add_amd_node(root, 1, gpu_id="0", unique_id=5, vram=64 * GIB)
    assert [gpu.id for gpu in detect({}, root)] == ["GPU-0000000000000012"]


def test_names_of_the_user_are_cards_of_amd_without_nvidia(root: Path) -> None:
    environment = {"RISEML_GPUS": "1", "PATH": "/nowhere"}
    gpus = detect(environment, root)
    assert gpus == (Gpu("1", 1, vendor=AMD),)
    variables = job_variables(gpus, root)
    assert variables["ROCR_VISIBLE_DEVICES"] == "1"
    assert variables["HIP_VISIBLE_DEVICES"] == "0"
