"""Files and programs of GPU drivers, below a folder that stands for the root."""

import json
from collections.abc import Mapping
from pathlib import Path

INFORMATION = """Model: \t\t {model}
IRQ:   \t\t 180
GPU UUID: \t {uuid}
Video BIOS: \t 96.00.61.00.0b
Bus Type: \t PCIe
DMA Size: \t 52 bits
Bus Location: \t {bus}
Device Minor: \t 0
GPU Excluded:\t {excluded}
"""


def write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def add_nvidia_card(
    root: Path, bus: str, uuid: str, *, model: str = "NVIDIA A10", excluded: str = "No"
) -> None:
    """Add the folder of a card to /proc/driver/nvidia/gpus."""
    text = INFORMATION.format(model=model, uuid=uuid, bus=bus, excluded=excluded)
    write(root / "proc/driver/nvidia/gpus" / bus / "information", text)


def add_program(file: Path, answers: Mapping[str, str], failure: str = "") -> None:
    """Add a program that prints an answer if its arguments contain a word.

    Without a word that fits, it fails as nvidia-smi does: its message is on stdout.
    """
    script = ["#!/bin/sh", 'case "$*" in']
    for number, (word, text) in enumerate(answers.items()):
        answer = file.with_name(f"{file.name}.{number}.txt")
        write(answer, text)
        script.append(f"*'{word}'*) exec cat '{answer}';;")
    script += ["esac", f"echo '{failure or 'unknown option'}'", "exit 9"]
    write(file, "\n".join(script) + "\n")
    file.chmod(0o755)


def add_amd_node(
    root: Path,
    node: int,
    *,
    gpu_id: str,
    unique_id: int = 0,
    location: int = 0,
    vram: int = 0,
    simds: int = 8,
) -> None:
    """Add a node to the kernel's list of compute nodes; a processor has no `simds`."""
    folder = root / f"sys/class/kfd/kfd/topology/nodes/{node}"
    lines = {
        "cpu_cores_count": 0 if simds else 8,
        "simd_count": simds,
        "simd_per_cu": 4 if simds else 0,
        "location_id": location,
        "domain": 0,
        "unique_id": unique_id,
        "gfx_target_version": 90402,
    }
    text = "".join(f"{name} {value}\n" for name, value in lines.items())
    write(folder / "properties", text)
    write(folder / "gpu_id", f"{gpu_id}\n")
    write(folder / "mem_banks/0/properties", f"heap_type 1\nsize_in_bytes {vram}\n")


def amd_smi_answer(*cards: tuple[int, str, str, int, str]) -> str:
    """Return what `amd-smi static --json` prints: index, name, bus, MB, serial number."""
    entries = []
    for index, name, bus, megabytes, serial in cards:
        entry = {
            "gpu": index,
            "asic": {"market_name": name, "asic_serial": serial},
            "bus": {"bdf": bus},
            "vram": {"type": "HBM", "size": {"value": megabytes, "unit": "MB"}},
        }
        entries.append(entry)
    return json.dumps({"gpu_data": entries})


class FakeNvidiaSmi:
    """A program nvidia-smi in a folder, whose answers can be changed.

    `python_path` has a module pynvml that finds no library, also on a machine with cards.
    """

    def __init__(self, folder: Path, *uuids: str, mebibytes: int = 1000) -> None:
        self.folder, self._mebibytes = folder, mebibytes
        self.python_path = folder / "python"
        write(self.python_path / "pynvml.py", NO_NVML)
        self.uuids = uuids
        write(
            folder / "cards",
            self._rows("{i}, {u}, NVIDIA Fake, {m}, 0000:0{i}:00.0, [N/A]"),
        )
        write(folder / "uuids", self._rows("{i}, {u}"))
        write(folder / "readings", self._rows("{i}, {u}, 0, 0, 0, {m}, [N/A], [N/A]"))
        write(folder / "memory", self._rows("{i}, {u}, {m}, [N/A]"))
        write(folder / "processes", "")
        write(folder / "use", self._rows("{i}, {u}, 0, 0, [N/A]"))
        write(folder / "computing", "")
        program = folder / "bin/nvidia-smi"
        write(program, NVIDIA_SMI.format(folder=folder))
        program.chmod(0o755)

    def hold(self, *holders: tuple[str, int, int]) -> None:
        """List processes: the UUID of a card, a pid, and MiB."""
        rows = "".join(f"{uuid}, {pid}, {mib}\n" for uuid, pid, mib in holders)
        partial = self.folder / "partial"
        partial.write_text(rows)
        partial.rename(self.folder / "processes")

    def _rows(self, row: str) -> str:
        lines = []
        for index, uuid in enumerate(self.uuids):
            lines.append(row.format(i=index, u=uuid, m=self._mebibytes) + "\n")
        return "".join(lines)


NO_NVML = '''"""A pynvml without a library."""


class NVMLError(Exception):
    """There is no library."""


def nvmlInit():
    raise NVMLError("NVML Shared Library Not Found")
'''
NVIDIA_SMI = """#!/bin/sh
case "$*" in
  *--query-gpu=index,uuid,name*) exec cat '{folder}/cards';;
  *--query-gpu=index,uuid,utilization*mig.mode.current*) exec cat '{folder}/use';;
  *--query-gpu=index,uuid,utilization*) exec cat '{folder}/readings';;
  *--query-gpu=index,uuid,memory*) exec cat '{folder}/memory';;
  *'--query-gpu=index,uuid '*) exec cat '{folder}/uuids';;
  *--query-compute-apps*) exec cat '{folder}/processes';;
  pmon*) exec cat '{folder}/computing';;
esac
exit 9
"""
