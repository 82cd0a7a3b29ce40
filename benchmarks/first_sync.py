"""First sync of 1.2 GB of code: `riseml train` on an empty home against `cp -r`, and the home's size.

Twelve files of 100 MB, and 30,000 files of 4 kB. Each round has fresh folders.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from measure import said, verdict

from riseml.engines.local import protocol

RISEML = [sys.executable, "-m", "riseml"]
ROUNDS = 3


def project(folder: Path, files: int, size: int) -> Path:
    for number in range(files):
        path = folder / f"folder_{number // 500}" / f"file_{number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(size))
    (folder / "riseml.yml").write_text(
        "project: sync\ntrain: {image: busybox, resources: {cpus: 0.1, mem: 16M}, run: 'true'}\n"
    )
    return folder


def bytes_of(folder: Path) -> int:
    # The controller may remove a file meanwhile, which `du` reports as an error.
    done = subprocess.run(
        ["du", "-sB1", str(folder)], capture_output=True, text=True, check=False
    )
    return int(done.stdout.split()[0])


def sync(folder: Path, work: Path) -> tuple[float, int]:
    """Return the wall time of `train`, and the bytes of its home afterwards."""
    home = work / "home"
    begun = time.perf_counter()
    number = said([*RISEML, "train", "-o", "name"], folder, home)
    seconds = time.perf_counter() - begun
    said([*RISEML, "wait", number], folder, home)
    size = bytes_of(home)
    protocol.stop_controller(home)
    shutil.rmtree(home)
    return seconds, size


def copy(folder: Path, work: Path) -> float:
    begun = time.perf_counter()
    subprocess.run(["cp", "-r", folder, work / "copy"], check=True)
    seconds = time.perf_counter() - begun
    shutil.rmtree(work / "copy")
    return seconds


def main() -> None:
    work = Path(tempfile.mkdtemp())
    try:
        shapes = {
            "12 files of 100 MB": (12, 100_000_000),
            "30,000 files of 4 kB": (30_000, 4_000),
        }
        for title, (files, size) in shapes.items():
            folder = project(work / title.replace(" ", "_"), files, size)
            copy(folder, work)
            rounds = [(copy(folder, work), *sync(folder, work)) for _ in range(ROUNDS)]
            copied, synced = (
                median(values) for values in list(zip(*rounds, strict=True))[:2]
            )
            print(f"{title}: cp -r {copied:.2f} s, first sync {synced:.2f} s")
            verdict(
                "first sync against cp -r",
                median(taken / other for other, taken, _ in rounds),
                2.5,
            )
            verdict("home against the folder", rounds[0][2] / bytes_of(folder), 1.1)
    finally:
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
