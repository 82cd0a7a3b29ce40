"""Folders for snapshots, and their contents."""

import os
import stat
import subprocess
from pathlib import Path

Content = dict[bytes, tuple[int, bytes]]


def listing(folder: Path | bytes) -> Content:
    """Return the entries below a folder by path: mode, and content or link target."""
    top = os.fsencode(folder)
    entries: Content = {}
    for directory, folders, files in os.walk(top):
        for name in folders + files:
            path = os.path.join(directory, name)
            mode = os.lstat(path).st_mode
            if stat.S_ISLNK(mode):
                entry = (stat.S_IFLNK, os.readlink(path))
            elif name in files:
                entry = (mode, Path(os.fsdecode(path)).read_bytes())
            else:
                entry = (mode, b"")
            entries[os.path.relpath(path, top)] = entry
    return entries


def write(folder: Path, files: dict[str, str | bytes]) -> Path:
    """Write files and make their folders; a path that ends with a slash is a folder."""
    for name, text in files.items():
        path = folder / name
        if name.endswith("/"):
            path.mkdir(parents=True, exist_ok=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
    return folder


def git(*arguments: str | Path, at: Path) -> str:
    """Run Git without any user's settings, and return its output."""
    environment = {
        "PATH": os.environ["PATH"],
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "safe.directory",
        "GIT_CONFIG_VALUE_0": "*",
        **{
            f"GIT_{who}_{what}": "someone@example.org"
            for who in ("AUTHOR", "COMMITTER")
            for what in ("NAME", "EMAIL")
        },
    }
    command = ["git", "-C", at, *arguments]
    return subprocess.run(
        command, env=environment, check=True, capture_output=True, text=True
    ).stdout
