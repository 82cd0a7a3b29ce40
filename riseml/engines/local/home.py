"""Folders of a home: what jobs see as /data and /output, and where runs and environments lie."""

import os
from dataclasses import dataclass
from pathlib import Path

from riseml.errors import UnsupportedError

ENVIRONMENT = "riseml-env:"
"""Prefix of an image name that stands for a virtual environment of this home."""


def data_folder(home: Path) -> Path:
    """Return what jobs see as /data: RISEML_DATA, else the machine's own /data, else a folder of the home."""
    if named := os.environ.get("RISEML_DATA"):
        return Path(named)
    return Path("/data") if Path("/data").is_dir() else home / "data"


def output_folder(home: Path) -> Path:
    """Return the folder in which every experiment has its /output."""
    return home / "output"


@dataclass(frozen=True)
class HomeLayout:
    """Where this home keeps things, and what this machine allows."""

    home: Path
    data: Path
    mounts: bool

    def claim(self, name: str) -> Path:
        """Return the folder behind a persistent volume claim.

        Raises:
            UnsupportedError: no folder stands for this claim.
        """
        folders = {
            "riseml-data": self.data,
            "riseml-output": self.home / "output",
            "riseml-store": self.home / "store",
        }
        if name not in folders:
            raise UnsupportedError(
                f"no folder of this machine stands for the claim {name}"
            )
        return folders[name]

    def output(self, user: str, project: str, number: int) -> Path:
        """Return the folder of a run's outputs, which remains when the run has ended."""
        return output_folder(self.home) / user / project / str(number)

    def run(self, number: int) -> Path:
        """Return the folder of a run's processes, which is removed when it has ended."""
        return self.home / "runs" / str(number)

    def job(self, number: int, node: str) -> Path:
        """Return the folder of one pod's processes: their pid, exit status, checkout."""
        return self.run(number) / node

    def environment(self, image: str) -> Path | None:
        """Return the virtual environment that an image means here, None for any other image."""
        return (
            self.home / "envs" / image.removeprefix(ENVIRONMENT)
            if image.startswith(ENVIRONMENT)
            else None
        )
