"""Output folders of runs: output/<user>/<project>/<number>, which outlive the database."""

from collections.abc import Iterator
from pathlib import Path

from riseml.engines.local.home import output_folder

ARCHIVE = "run.json"
"""Name of the file in an output folder that says how its run ended."""


def folders(home: Path) -> Iterator[Path]:
    """Yield the output folders of all runs of a home, in no particular order."""
    for folder in output_folder(home).glob("*/*/*"):
        if is_number(folder.name) and folder.is_dir():
            yield folder


def exists(home: Path, number: int) -> bool:
    """Return whether a run of this number has an output folder."""
    return any(output_folder(home).glob(f"*/*/{number}"))


def highest_number(home: Path) -> int:
    """Return the highest number of a run with an output folder, 0 if there is none."""
    return max((int(folder.name) for folder in folders(home)), default=0)


def is_number(name: str) -> bool:
    """Return whether a folder's name is the number of a run."""
    return name.isascii() and name.isdecimal() and not name.startswith("0")
