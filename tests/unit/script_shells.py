"""Shells that images have, and how containers run scripts in them."""

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

SHELLS = {"bash": ["bash"], "dash": ["dash"], "busybox": ["busybox", "sh"]}
FOUND = [name for name, command in SHELLS.items() if shutil.which(command[0])]
shells = pytest.mark.parametrize("shell", FOUND)


def start_session(
    command: Sequence[str],
    env: Mapping[str, str],
    folder: Path | None = None,
    user: int | None = None,
) -> "subprocess.Popen[str]":
    """Start a command in a session of its own, with both outputs in one pipe."""
    return subprocess.Popen(
        command,
        cwd=folder,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        user=user,
    )


def link_programs(folder: Path, *names: str) -> None:
    """Make a folder for PATH that has only these programs, as far as they exist here."""
    folder.mkdir()
    for name in names:
        if path := shutil.which(name):
            (folder / name).symlink_to(path)
