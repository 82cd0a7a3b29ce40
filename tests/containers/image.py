"""Image for tests, made of this machine's own files: a shell, its tools, and Python with its library.

It needs no registry. What a program links to is found by `ldd`.
"""

import io
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Iterator
from pathlib import Path

_PROGRAMS = """
    sh bash cat chmod chown cp cut date dirname echo env false find grep head hostname id
    kill ln ls mkdir mkfifo mktemp mv ps pwd rm rmdir sed seq setsid sha256sum sleep sort stat
    stdbuf tail tee test timeout touch tr true uname wc yes dd nproc
"""
_FOLDERS = ("tmp", "proc", "sys", "dev", "etc", "root", "var/tmp", "run")
_SKIPPED = frozenset(("test", "tests", "idlelib", "tkinter", "site-packages", "dist-packages"))  # fmt: skip
_PASSWD = "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/tmp:/bin/sh\n"
_LIBRARY = re.compile(r"(?:=> )?(/\S+) \(0x")


def write(target: Path) -> None:
    """Write the files of the image as a tar archive."""
    with tarfile.open(target, "w") as archive:
        for folder in _FOLDERS:
            entry = tarfile.TarInfo(folder)
            # In a folder where everybody may write, users could not open the devices.
            entry.mode = 0o1777 if "tmp" in folder else 0o755
            entry.type = tarfile.DIRTYPE
            archive.addfile(entry)
        passwd = tarfile.TarInfo("etc/passwd")
        passwd.size = len(_PASSWD)
        archive.addfile(passwd, io.BytesIO(_PASSWD.encode()))
        for top in ("bin", "sbin", "lib", "lib64"):
            if Path("/", top).is_symlink():
                _link(archive, top, str(Path("/", top).readlink()))
        python = str(Path(sys.executable).resolve())
        for name in ("usr/bin/python3", "usr/bin/python"):
            _link(archive, name, python)
        added = {"usr/bin/python3", "usr/bin/python"}
        for file in _files():
            _add(archive, file, added)


def _files() -> Iterator[Path]:
    python = Path(sys.executable).resolve()
    yield from _linked(python)
    for name in _PROGRAMS.split():
        program = shutil.which(name, path="/usr/bin:/bin:/usr/local/bin")
        if program:
            yield from _linked(Path(program))
    library = Path(sysconfig.get_path("stdlib"))
    for folder, names, files in os.walk(library):
        names[:] = [name for name in names if name not in _SKIPPED]
        for name in files:
            file = Path(folder, name)
            yield from _linked(file) if ".so" in name else [file]
    stdbuf = Path("/usr/libexec/coreutils/libstdbuf.so")
    if stdbuf.exists():
        yield stdbuf


def _linked(program: Path) -> Iterator[Path]:
    """Yield a program and the libraries that it links to."""
    yield program
    listed = subprocess.run(
        ["ldd", str(program)], capture_output=True, text=True, check=False
    )
    for path in _LIBRARY.findall(listed.stdout):
        yield Path(path)


def _add(archive: tarfile.TarFile, file: Path, added: set[str]) -> None:
    """Add a file under its name, in the folder that its folder is a link to."""
    name = str(file.parent.resolve() / file.name).lstrip("/")
    if name not in added:
        added.add(name)
        archive.add(file.resolve(), name)


def _link(archive: tarfile.TarFile, name: str, target: str) -> None:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = tarfile.SYMTYPE, target
    archive.addfile(entry)
