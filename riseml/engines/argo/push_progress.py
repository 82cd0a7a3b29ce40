"""Progress of `git push`, read from what it writes while it sends objects.

Writing objects:  45% (9/20), 1.20 GiB | 12.00 MiB/s
"""

import os
import re
import subprocess
from collections.abc import Mapping, Sequence

from riseml.project import progress

_PERCENT = re.compile(rb"Writing objects:\s+(\d{1,3})%")
# Git ends the lines that it redraws by carriage returns.
_LINE_ENDS = re.compile(rb"[\r\n]+")
_CHUNK_BYTES = 4096


def run(
    command: Sequence[str], environment: Mapping[str, str]
) -> "subprocess.CompletedProcess[str]":
    """Run `git push --progress`, and tell whoever listens how far it is.

    Raises:
        FileNotFoundError: there is no Git.
    """
    written = bytearray()
    progress.begin("push", 100)
    with subprocess.Popen(
        command,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stderr is not None  # noqa: S101
        done = 0
        # os.read() returns what there is, without waiting for more.
        while chunk := os.read(process.stderr.fileno(), _CHUNK_BYTES):
            written += chunk
            percents = _PERCENT.findall(written)
            reached = int(percents[-1]) if percents else 0
            progress.advance(reached - done)
            done = reached
    return subprocess.CompletedProcess(
        command, process.returncode, "", _errors(bytes(written))
    )


def _errors(written: bytes) -> str:
    """Return what Git wrote besides its progress."""
    lines = _LINE_ENDS.split(written)
    kept = [line for line in lines if b"objects:" not in line]
    return b"\n".join(kept).decode(errors="replace").strip()
