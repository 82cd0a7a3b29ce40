"""Layout of a home: the folders that jobs see as /data and /output, and those of runs and environments.

riseml.db  controller.log  secrets      files of the home itself
reserve                                 space that is given up when the disk is full
riseml.db.damaged-<time>-<n>            databases that were set aside
runs/<number>/<node>/                   a pod's processes, while its run has not ended
output/<user>/<project>/<number>/       outputs, logs and run.json of a run
envs/<key>/  store/repos/               environments of install steps, snapshots of code
images/<key>                            when an image with install steps was last used
container-engines.json                  what podman and docker said of themselves
cache/plans/  cache/documents/          plans and documents that runs of an unchanged project use again
checkouts/<project>/<revision>/         code that the working copies of jobs share
"""

import os
from pathlib import Path

from riseml import labels
from riseml.dataclass import dataclass
from riseml.errors import UnsupportedError

ENVIRONMENT = labels.ENVIRONMENT
"""Prefix of an image name that stands for a virtual environment of this home."""

_MACHINE_DATA = Path("/data")


def data_folder(home: Path) -> Path:
    """Return the folder that jobs see as /data.

    It is RISEML_DATA, else the machine's own /data, else a folder of the home.
    """
    configured = os.environ.get("RISEML_DATA")
    if configured:
        return Path(configured)
    if _MACHINE_DATA.is_dir():
        return _MACHINE_DATA
    return home / "data"


def output_folder(home: Path) -> Path:
    """Return the folder in which every experiment has its /output."""
    return home / "output"


def run_folder(home: Path, number: int) -> Path:
    """Return the folder of a run's processes, which is removed when it has ended."""
    return home / "runs" / str(number)


def checkouts(home: Path) -> Path:
    """Return the folder of shared checkouts; it exists where jobs can use them."""
    return home / "checkouts"


def environment_folder(home: Path, key: str) -> Path:
    """Return the virtual environment of the install steps with this key."""
    return home / "envs" / key


@dataclass(frozen=True)
class HomeLayout:
    """The folders of a home, and whether jobs get real mounts on this machine.

    `overlay` holds the options with which overlays work here; empty if they do not.
    """

    home: Path
    data: Path
    mounts: bool
    overlay: str = ""

    def claim(self, name: str) -> Path:
        """Return the folder of a persistent volume claim.

        Raises:
            UnsupportedError: no folder stands for this claim.
        """
        match name:
            case "riseml-data":
                return self.data
            case "riseml-output":
                return output_folder(self.home)
            case "riseml-store":
                return self.home / "store"
        raise UnsupportedError(
            f"no folder of this machine stands for the claim {name}",
            "The local engine knows riseml-data, riseml-output, riseml-store.",
        )

    def output(self, user: str, project: str, number: int) -> Path:
        """Return the folder of a run's outputs, which remains when the run has ended."""
        return output_folder(self.home) / user / project / str(number)

    def run(self, number: int) -> Path:
        """Return the folder of a run's processes, which is removed when it has ended."""
        return run_folder(self.home, number)

    def job(self, number: int, node: str) -> Path:
        """Return the folder of one pod's processes: their pid, exit status, checkout."""
        return self.run(number) / node

    def checkout(self, project: str, revision: str) -> Path:
        """Return the folder of the code that working copies of a revision share."""
        return checkouts(self.home) / project / revision

    def environment(self, image: str) -> Path | None:
        """Return the virtual environment of an image name, None for any other image."""
        if not image.startswith(ENVIRONMENT):
            return None
        return environment_folder(self.home, image.removeprefix(ENVIRONMENT))
