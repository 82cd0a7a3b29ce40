"""First `riseml train` of 1.2 GB of code compared with `cp -r`, and the size of the home.

Twelve files of 100 MB, and 30,000 files of 4 kB. Each round has fresh folders.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

from lab import Lab, lab
from measure import Figure, Sample, absolute, main, side_by_side, timed

from riseml.engines.local import protocol

SHAPES = {
    "12 files of 100 MB": (12, 100_000_000),
    "30,000 files of 4 kB": (30_000, 4_000),
}
PROJECT = """\
project: sync
train: {image: busybox, resources: {cpus: 0.1, mem: 16M}, run: 'true'}
"""


def measure(rounds: int | None = None) -> Iterator[Figure]:
    """Yield the time and the size of each shape."""
    for title, (files, size) in SHAPES.items():
        with lab() as place:
            project = place.project("sync", PROJECT)
            _grow(project, files, size)
            sizes: list[float] = []
            times = side_by_side(
                {"cp -r": _copy(place, project), "train": _sync(place, project, sizes)},
                base="cp -r",
                rounds=rounds or 3,
                warm=False,
            )
            yield times["train"].figure(f"first `train` with {title}", 2.5)
            name = f"home after `train` with {title}, to the folder"
            yield absolute(name, [median(sizes) / bytes_of(project)], "x", 1.1)


def _grow(folder: Path, files: int, size: int) -> None:
    for number in range(files):
        path = folder / f"folder_{number // 500}" / f"file_{number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(size))


def bytes_of(folder: Path) -> int:
    """Return the disk space of a folder."""
    # The controller may remove a file meanwhile, which `du` reports as an error.
    done = subprocess.run(
        ["du", "-sB1", str(folder)], capture_output=True, text=True, check=False
    )
    return int(done.stdout.split()[0])


def _sync(place: Lab, project: Path, sizes: list[float]) -> Callable[[], float]:
    """Return a function that measures `train` on an empty home, and adds the home's size to a list."""

    def take() -> float:
        begun = time.perf_counter()
        number = place.train(project)
        seconds = time.perf_counter() - begun
        place.riseml("wait", number)
        sizes.append(bytes_of(place.home))
        protocol.stop_controller(place.home)
        shutil.rmtree(place.home)
        return seconds

    return take


def _copy(place: Lab, project: Path) -> Callable[[], Sample]:
    copy = place.folder / "copy"
    return timed(
        lambda: subprocess.run(["cp", "-r", project, copy], check=True),
        before=lambda: shutil.rmtree(copy, ignore_errors=True),
    )


if __name__ == "__main__":
    main(measure)
