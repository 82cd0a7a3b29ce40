"""The way back: a revision as the folder that it was taken from."""

import os

from riseml.errors import HomeError
from riseml.project.store import Place


def checkout(repository: Place, revision: str, folder: Place) -> None:
    """Write a revision into `folder`, which is empty or made; by the same script as in a cluster's pod."""
    import subprocess  # noqa: PLC0415 - a snapshot needs no process, and this module is loaded with it

    from riseml import templating  # noqa: PLC0415

    told = {
        "PATH": os.environ.get("PATH", os.defpath),
        "REPOSITORY": os.path.abspath(repository),
        "REVISION": revision,
        "CODE_DIR": os.path.abspath(folder),
    }
    script = os.path.join(templating.folder(), "checkout.sh")
    done = subprocess.run(["sh", script], env=told, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
    if done.returncode:
        raise HomeError(
            f"cannot check out {revision} of {os.fspath(repository)}: {done.stderr.decode('utf-8', 'replace').strip()}",
            "Git must be installed, and the folder must be empty and writable.",
        )
