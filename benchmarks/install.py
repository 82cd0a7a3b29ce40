"""`pip install .` into a fresh environment: disk space and number of packages that it adds.

Bytes are allocated disk space, byte code included. Packages are distributions, RiseML included.
"""

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from measure import Figure, absolute, main, sample

import riseml


def measure(_rounds: int | None = None) -> Iterator[Figure]:
    """Yield both amounts."""
    checkout = Path(riseml.__file__).resolve().parents[1]
    with tempfile.TemporaryDirectory() as name:
        venv = Path(name) / "venv"
        sample([sys.executable, "-m", "venv", str(venv)])
        packages, size = distributions(venv), disk_space(venv)
        pip = [str(venv / "bin/pip"), "install", "--quiet"]
        sample([*pip, str(checkout)])
        added = (disk_space(venv) - size) / 1e6
        yield absolute("`pip install .`: disk space", [added], "MB", 90)
        count = distributions(venv) - packages
        yield absolute("`pip install .`: packages", [count], "packages", 25)


def disk_space(folder: Path) -> int:
    """Return the bytes that the files of a folder allocate."""
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            total += os.lstat(os.path.join(root, name)).st_blocks * 512  # noqa: PTH118  # tens of thousands
    return total


def distributions(venv: Path) -> int:
    """Return the number of installed distributions."""
    return len(list(venv.glob("lib/python3*/site-packages/*.dist-info")))


if __name__ == "__main__":
    main(measure)
