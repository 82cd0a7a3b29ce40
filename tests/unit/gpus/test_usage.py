"""Use of GPUs: readings, processes and samples."""

import importlib
from pathlib import Path

import pytest

from riseml.gpus import AMD, Gpu
from riseml.gpus.usage import (
    GpuProcess,
    Reading,
    UsageSample,
    processes,
    readings,
    samples,
    session,
)
from tests.fake_drivers import add_amd_node, add_program, write
from tests.fake_nvml import MIB, Card, FakeNvml, install

FIRST = "GPU-11111111-aaaa-bbbb-cccc-000000000001"
SECOND = "GPU-22222222-aaaa-bbbb-cccc-000000000002"
SLICE = "MIG-aaaaaaaa-0000-5000-8000-000000000001"
CARDS = (Gpu(FIRST, 0), Gpu(SECOND, 1))
RADEON = Gpu("GPU-0000000000000012", 0, vendor=AMD, bus="0000:03:00.0")

PMON = """# gpu         pid   type     sm    mem    enc    dec    jpg    ofa    command
# Idx           #    C/G      %      %      %      %      %      %    name
    0       4321     C     87     41      -      -      -      -    python3
    1       4400     C      -      -      -      -      -      -    python3
    1          -     -      -      -      -      -      -      -    -
"""


def test_nvml_reads_cards(monkeypatch: pytest.MonkeyPatch) -> None:
    first = Card(FIRST, used=400 * MIB, reserved=90 * MIB, utilization=(87, 41))
    first.milliwatts, first.temperature = 312_500, 61
    nvml = install(monkeypatch, first, Card(SECOND, utilization=None))
    assert readings(CARDS) == (
        Reading(FIRST, 0.87, 0.41, 400 * MIB, 1000 * MIB, 312.5, 61.0),
        Reading(SECOND, None, None, 0, 1000 * MIB, None, None),
    )
    assert nvml.sessions == 0


def test_a_slice_has_the_power_of_its_card(monkeypatch: pytest.MonkeyPatch) -> None:
    part = Card(SLICE, total=20 * MIB, used=5 * MIB, utilization=None)
    install(monkeypatch, Card(FIRST, mig=True, slices=[part], milliwatts=90_000))
    assert readings([Gpu(SLICE, 0)]) == (
        Reading(SLICE, None, None, 5 * MIB, 20 * MIB, 90.0, None),
    )


def test_gpus_may_be_named_by_index(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, Card(FIRST, used=1), Card(SECOND, used=2))
    named = (Gpu("1", 0), Gpu("GPU-1111", 1), Gpu("7", 2))
    memory = {reading.gpu: reading.mem_used for reading in readings(named)}
    assert memory == {"1": 2, "GPU-1111": 1}


def test_nvml_lists_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    first = Card(FIRST, computing={7: 300 * MIB, 8: None}, drawing={9: 50, 8: 1})
    install(monkeypatch, first, Card(SECOND, computing={7: 5}))
    assert sorted(processes(CARDS), key=lambda holder: (holder.gpu, holder.pid)) == [
        GpuProcess(FIRST, 7, 300 * MIB),
        GpuProcess(FIRST, 8, None, is_graphics=True),
        GpuProcess(FIRST, 9, 50, is_graphics=True),
        GpuProcess(SECOND, 7, 5),
    ]


def test_an_old_driver_is_asked_in_its_own_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Drivers before 510 count what they reserve for themselves as used."""
    card = Card(FIRST, used=400, reserved=90, computing={7: 300}, drawing={9: 50})
    install(monkeypatch, card).is_old = True
    assert readings(CARDS[:1])[0].mem_used == 490
    assert {(holder.pid, holder.mem) for holder in processes(CARDS[:1])} == {
        (7, 300),
        (9, 50),
    }


def test_the_fake_has_nothing_that_the_library_lacks() -> None:
    real = importlib.import_module("pynvml")
    names = [name for name in vars(FakeNvml) if name.lower().startswith("nvml")]
    assert len(names) > 20
    assert [name for name in names if not hasattr(real, name)] == []


def test_nvml_returns_each_sample_once(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = [(7, 5_000_000, 12, 3), (7, 6_500_000, 250, 101)]
    install(monkeypatch, Card(FIRST, samples=taken), Card(SECOND))
    newer = samples(CARDS, 5.0)
    assert newer == (UsageSample(FIRST, 7, 6.5, 1.0, 1.0),)
    assert samples(CARDS, newer[-1].time) == ()
    assert samples(CARDS, 0.0)[0] == UsageSample(FIRST, 7, 5.0, 0.12, 0.03)


def test_a_session_keeps_nvml_open(monkeypatch: pytest.MonkeyPatch) -> None:
    nvml = install(monkeypatch, Card(FIRST))
    with session():
        assert nvml.sessions == 1
        readings(CARDS)
        assert nvml.sessions == 1
    assert nvml.sessions == 0
    nvml.fault = "Driver Not Loaded"
    with session():
        assert readings(CARDS) == ()


def test_nvidia_smi_replaces_nvml(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch).fault = "NVML Shared Library Not Found"
    table = f"0, {FIRST}, 87, 41, 400, 1000, 312.50, 61\n1, {SECOND}, [N/A], [N/A], 0, 1000, [N/A], 30\n"
    answers = {
        "--query-gpu=index,uuid,utilization.gpu": table,
        "--query-gpu=index,uuid ": f"0, {FIRST}\n1, {SECOND}\n",
        "--query-compute-apps": f"{FIRST}, 4321, 300\n{SECOND}, 4400, [N/A]\n",
        "pmon -c 1": PMON,
    }
    add_program(tmp_path / "nvidia-smi", answers)
    path = f"{tmp_path}:/usr/bin:/bin"
    assert readings(CARDS, path) == (
        Reading(FIRST, 0.87, 0.41, 400 * MIB, 1000 * MIB, 312.5, 61.0),
        Reading(SECOND, None, None, 0, 1000 * MIB, None, 30.0),
    )
    assert processes(CARDS, path) == (
        GpuProcess(FIRST, 4321, 300 * MIB),
        GpuProcess(SECOND, 4400, None),
    )
    monkeypatch.setattr("time.time", lambda: 77.0)
    assert samples(CARDS, 0.0, path) == (UsageSample(FIRST, 4321, 77.0, 0.87, 0.41),)


def test_without_a_driver_nothing_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch).fault = "Driver Not Loaded"
    assert readings(CARDS, root=tmp_path) == ()
    assert processes(CARDS, root=tmp_path) == ()
    assert samples(CARDS, 0.0, root=tmp_path) == ()


def test_the_kernel_knows_cards_of_amd(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = tmp_path / "sys/bus/pci/devices/0000:03:00.0"
    write(device / "gpu_busy_percent", "93\n")
    write(device / "mem_info_vram_used", "2000\n")
    write(device / "mem_info_vram_total", "8000\n")
    write(device / "hwmon/hwmon3/power1_average", "150000000\n")
    write(device / "hwmon/hwmon3/temp1_input", "55000\n")
    assert readings([RADEON], root=tmp_path) == (
        Reading(RADEON.id, 0.93, None, 2000, 8000, 150.0, 55.0),
    )
    add_amd_node(tmp_path, 1, gpu_id="51", location=0x0300, simds=400)
    process = tmp_path / "sys/class/kfd/kfd/proc/4321"
    write(process / "vram_51", "1500\n")
    write(process / "vram_52", "9\n")
    write(process / "stats_51/cu_occupancy", "25\n")
    assert processes([RADEON], root=tmp_path) == (GpuProcess(RADEON.id, 4321, 1500),)
    monkeypatch.setattr("time.time", lambda: 77.0)
    assert samples([RADEON], 0.0, root=tmp_path) == (
        UsageSample(RADEON.id, 4321, 77.0, 0.25),
    )
