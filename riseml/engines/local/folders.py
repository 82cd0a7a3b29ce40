"""Which folders of this machine jobs see as /data and /output."""

import os
from pathlib import Path


def data(home: Path) -> Path:
    """Return what jobs see as /data: RISEML_DATA, else the machine's own /data, else a folder of the home."""
    if named := os.environ.get("RISEML_DATA"):
        return Path(named)
    return Path("/data") if Path("/data").is_dir() else home / "data"


def output(home: Path) -> Path:
    """Return the folder in which every experiment has its /output."""
    return home / "output"
