"""Whether the shell that runs lines on this machine can fail for any program of a pipeline."""

import shutil
import subprocess


def is_available() -> bool:
    """Return whether it is bash, or another shell that has `pipefail`."""
    if shutil.which("bash"):
        return True
    command = ["sh", "-c", "command set -o pipefail"]
    done = subprocess.run(command, check=False, capture_output=True)
    return done.returncode == 0
