"""Tools that RiseML is compared with, in pinned versions, installed into a cache on first use.

The cache is `$XDG_CACHE_HOME/riseml-benchmarks`, by default below `~/.cache`.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from measure import CannotMeasureError

METAFLOW_PINS = Path(__file__).with_name("metaflow.txt")
PARALLEL_VERSION = "20221122"


def cache() -> Path:
    """Return the folder of installed tools."""
    default = Path.home() / ".cache"
    folder = Path(os.environ.get("XDG_CACHE_HOME") or default) / "riseml-benchmarks"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def metaflow() -> Path:
    """Return the Python that has Metaflow, with the versions of `metaflow.txt`.

    Raises:
        CannotMeasureError: It cannot be installed.
    """
    venv, pins = cache() / "metaflow", METAFLOW_PINS.read_text()
    installed = venv / "installed.txt"
    if not installed.exists() or installed.read_text() != pins:
        shutil.rmtree(venv, ignore_errors=True)
        _run([sys.executable, "-m", "venv", str(venv)])
        pip = [str(venv / "bin/pip"), "install", "--quiet", "--no-deps"]
        _run([*pip, "-r", str(METAFLOW_PINS)])
        installed.write_text(pins)
    return venv / "bin/python"


def parallel() -> str:
    """Return the path of GNU parallel: of the system, or of Debian's package unpacked in the cache.

    Raises:
        CannotMeasureError: It cannot be installed, or is another version.
    """
    program = shutil.which("parallel") or _unpacked_parallel()
    done = subprocess.run(
        [program, "--version"], capture_output=True, text=True, check=False
    )
    version = done.stdout.partition("\n")[0]
    if PARALLEL_VERSION not in version:
        raise CannotMeasureError(
            f"{program} is '{version}', and the base is version {PARALLEL_VERSION}"
            " (Debian 12)"
        )
    return program


def _unpacked_parallel() -> str:
    folder = cache() / f"parallel-{PARALLEL_VERSION}"
    program = folder / "usr/bin/parallel"
    if not program.exists():
        folder.mkdir(exist_ok=True)
        _run(["apt-get", "download", "--quiet", "parallel"], folder)
        (package,) = folder.glob("parallel_*.deb")
        _run(["dpkg-deb", "--extract", str(package), str(folder)])
    return str(program)


def _run(command: list[str], folder: Path | None = None) -> None:
    words = " ".join(command)
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        raise CannotMeasureError(f"{command[0]} is missing for: {words}") from None
    if done.returncode:
        raise CannotMeasureError(f"{words} fails: {done.stderr.strip()}")
