"""Programs of others on GPUs."""

import os
import pwd
from collections.abc import Collection
from pathlib import Path

import pytest

from riseml.gpus import AMD, Gpu
from riseml.gpus.holders import Holder, Survey
from tests.fake_drivers import write
from tests.fake_nvml import MIB, Card, install

FIRST = "GPU-11111111-aaaa-bbbb-cccc-000000000001"
GPU = Gpu(FIRST, 0)
ME = pwd.getpwuid(os.getuid()).pw_name
OWN = 700
PYTHON, DESKTOP, OTHER = 4321, 900, 5000


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return the root of a machine with some processes."""
    names = {OWN: "python3", PYTHON: "python3", DESKTOP: "Xorg", OTHER: "ollama"}
    for pid, name in names.items():
        write(tmp_path / f"proc/{pid}/comm", f"{name}\n")
    return tmp_path


def holders(
    monkeypatch: pytest.MonkeyPatch,
    root: Path,
    *cards: Card,
    assigned: Collection[str] = (),
) -> dict[str, Holder]:
    nvml = install(monkeypatch, *cards)
    gpus = [Gpu(card.uuid, index) for index, card in enumerate(cards)]
    survey = Survey(gpus, lambda pid: pid == OWN, assigned, root=root)
    found = survey.holders()
    assert nvml.sessions == 0
    return found


def test_a_foreign_process_holds_a_gpu(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = Card(FIRST, computing={PYTHON: 900_000_000, OTHER: 100, OWN: 5})
    found = holders(monkeypatch, root, card, Card("GPU-2"))
    holder = Holder(GPU, PYTHON, "python3", ME, 900_000_000, others=1)
    assert found == {FIRST: holder}
    assert str(holder) == (
        f"GPU 0 is in use by python3 (pid 4321, user {ME}, 900 MB) and 1 more"
    )


def test_jobs_are_not_foreign(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    card = Card(FIRST, used=950 * MIB, computing={OWN: 900 * MIB})
    assert holders(monkeypatch, root, card, assigned=[FIRST]) == {}


@pytest.mark.parametrize(
    ("drawing", "computing", "holds"),
    [
        ({DESKTOP: 200 * MIB}, {}, False),
        ({DESKTOP: 200 * MIB, OTHER: 60 * MIB}, {}, True),
        ({DESKTOP: None}, {}, False),
        # A browser draws and computes.
        ({DESKTOP: 90 * MIB}, {DESKTOP: 90 * MIB}, False),
        ({DESKTOP: 10 * MIB}, {PYTHON: 1}, True),
    ],
)
def test_the_desktop_may_have_a_quarter_of_the_memory(
    drawing: dict[int, int | None],
    computing: dict[int, int | None],
    holds: bool,
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    card = Card(FIRST, total=1000 * MIB, drawing=drawing, computing=computing)
    assert bool(holders(monkeypatch, root, card)) is holds


def test_the_server_of_mps_is_not_a_holder(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(root / "proc/77/comm", "nvidia-cuda-mps\n")
    assert holders(monkeypatch, root, Card(FIRST, computing={77: 30 * MIB})) == {}


def test_a_process_outside_the_container_has_no_name(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = Card(FIRST, computing={123456: 300_000_000})
    (holder,) = holders(monkeypatch, root, card).values()
    assert str(holder) == (
        "GPU 0 is in use by a program that cannot be seen from here (pid 123456, 300 MB)"
    )
    # With a job on the card, it is probably the job's.
    assert holders(monkeypatch, root, card, assigned=[FIRST]) == {}


@pytest.mark.parametrize(("used", "holds"), [(512, False), (513, True)])
def test_memory_without_a_listed_process_counts(
    used: int, holds: bool, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = Card(FIRST, used=used * MIB, total=8000 * MIB, reserved=500 * MIB)
    found = holders(monkeypatch, root, card)
    assert bool(found) is holds
    if holds:
        assert str(found[FIRST]) == (
            "GPU 0 is in use by a program that cannot be seen from here (537 MB)"
        )


@pytest.mark.parametrize(("used", "holds"), [(2000, False), (2001, True)])
def test_the_desktop_of_windows_is_in_the_memory_of_wsl2(
    used: int, holds: bool, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(root / "dev/dxg", "")
    card = Card(FIRST, used=used * MIB, total=8000 * MIB)
    assert bool(holders(monkeypatch, root, card)) is holds


def test_memory_that_the_system_manages_says_nothing(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a GH200, the system caches files in the memory of the GPU."""
    folder = root / "proc/driver/nvidia/gpus/0009:01:00.0"
    write(folder / "numa_status", "Node: 1\nStatus: online\n")
    install(monkeypatch, Card(FIRST, used=900 * MIB))
    gpu = Gpu(FIRST, 0, bus="0009:01:00.0")
    assert Survey([gpu], lambda pid: False, root=root).holders() == {}
    write(folder / "numa_status", "Status: disabled\n")
    assert len(Survey([gpu], lambda pid: False, root=root).holders()) == 1


@pytest.mark.parametrize(("used", "holds"), [(2000, False), (2001, True)])
def test_desktops_are_not_listed_on_cards_of_amd(
    used: int, holds: bool, root: Path
) -> None:
    gpu = Gpu("GPU-0000000000000012", 0, vendor=AMD, bus="0000:03:00.0")
    device = root / "sys/bus/pci/devices/0000:03:00.0"
    write(device / "mem_info_vram_used", f"{used * MIB}")
    write(device / "mem_info_vram_total", f"{8000 * MIB}")
    found = Survey([gpu], lambda pid: False, root=root).holders()
    assert bool(found) is holds


def test_unknown_memory_is_not_guessed(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = Card(FIRST, used=900 * MIB, computing={OWN: None})
    assert holders(monkeypatch, root, card) == {}


def test_small_changes_of_memory_leave_the_message_as_it_is() -> None:
    texts = set()
    for mem in (20_310_000_000, 20_349_000_000):
        texts.add(str(Holder(GPU, 7, "python3", "ida", mem)))
    assert texts == {"GPU 0 is in use by python3 (pid 7, user ida, 20300 MB)"}


def test_a_slice_is_named_by_its_id() -> None:
    holder = Holder(Gpu("MIG-11", 3), 7, "python", "ida", None)
    assert str(holder) == "MIG-11 of GPU 3 is in use by python (pid 7, user ida)"


def test_without_a_driver_nobody_holds_a_gpu(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch).fault = "Driver Not Loaded"
    assert Survey([GPU], lambda pid: False, root=root).holders() == {}
