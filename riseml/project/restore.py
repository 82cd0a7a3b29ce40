"""Checkout of a revision into a folder."""

import os
import subprocess

from riseml import templating
from riseml.errors import HomeError
from riseml.project import AnyPath


def restore(repository: AnyPath, revision: str, folder: AnyPath) -> None:
    """Check a revision out; see `riseml.project.checkout`."""
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "REPOSITORY": os.path.abspath(repository),
        "REVISION": revision,
        "CODE_DIR": os.path.abspath(folder),
    }
    script = os.path.join(templating.folder(), "checkout.sh")
    done = subprocess.run(
        ["sh", script],
        env=environment,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=False,
    )
    if done.returncode:
        raise HomeError(
            f"cannot check out {revision} of {os.fspath(repository)}: {done.stderr.decode('utf-8', 'replace').strip()}",
            "Git must be installed, and the folder must be empty and writable.",
        )
