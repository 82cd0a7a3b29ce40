"""The TensorBoard to start on this machine, and whether a run has none."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from riseml.errors import RiseMLError

HOST = "127.0.0.1"
"""Where it listens."""

MISSING = (
    "No tensorboard is installed where run {run} runs: add `pip install tensorboard` to"
    " `install` in riseml.yml, or to its image."
)
"""What to say about a run whose TensorBoard cannot be started."""

_LOG_LINES = 10
_LOG_BYTES = 4096
# What templates/tensorboard.sh writes
_SCRIPTS_LINE = "riseml: no working tensorboard is installed"
_HAS_TENSORBOARD = (
    "import importlib.util as i, sys; sys.exit(i.find_spec('tensorboard.main') is None)"
)


def command(environment: Path | None = None) -> list[str]:
    """Return the command that starts TensorBoard.

    The virtual environment of a run comes first, if it has one, then the user's.

    Raises:
        RiseMLError: TensorBoard is not installed.
    """
    if environment is not None and _has_tensorboard(f"{environment}/bin/python"):
        return [f"{environment}/bin/python", "-m", "tensorboard.main"]
    program = shutil.which("tensorboard")
    if program:
        return [program]
    for python in filter(_has_tensorboard, _pythons()):
        return [python, "-m", "tensorboard.main"]
    raise RiseMLError(
        "there is no tensorboard in your environment",
        "Install it with `pip install tensorboard`, or put an installed one on your PATH.",
    )


def is_missing(log: Iterable[str]) -> bool:
    """Return whether the log of a run's TensorBoard says that none is installed."""
    return any(line.startswith(_SCRIPTS_LINE) for line in log)


def free_port(port: int) -> int:
    """Return a port that nothing listens to, so that only the new server can answer there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise RiseMLError(
                f"port {port} cannot be used: {error.strerror}",
                "Without a port, a free one is taken.",
            ) from None
        return int(probe.getsockname()[1])


def last_lines(log: BinaryIO) -> str:
    """Return the last lines that a program has written to a file."""
    size = log.seek(0, os.SEEK_END)
    log.seek(max(size - _LOG_BYTES, 0))
    lines = log.read().decode(errors="replace").splitlines()
    return "\n".join(line for line in lines[-_LOG_LINES:] if line.strip())


def _has_tensorboard(python: str) -> bool:
    try:
        check = subprocess.run(
            [python, "-c", _HAS_TENSORBOARD], capture_output=True, check=False
        )
    except OSError:
        # The environment was removed by `riseml prune`.
        return False
    return check.returncode == 0


def _pythons() -> Iterator[str]:
    """Return the interpreters to search for TensorBoard, the user's before RiseML's."""
    pythons = [shutil.which("python3"), shutil.which("python"), sys.executable]
    return filter(None, dict.fromkeys(pythons))
