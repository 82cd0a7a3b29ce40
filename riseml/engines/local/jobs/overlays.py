"""Overlays for the code of jobs: whether a machine has them, and with which options.

lower: shared checkout, files of install steps   upper: what the job creates or changes
   └──────────────────── /code ───────────────────┘
"""

import os
import shutil
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from riseml.engines.local.jobs import mounts

# The best options come first. `volatile` spares the end of every job a sync of the
# whole file system; `redirect_dir` allows to rename folders of the project, but not in
# a user namespace, where `userxattr` is necessary.
_OPTIONS = (
    b"redirect_dir=on,volatile",
    b"redirect_dir=on",
    b"userxattr,volatile",
    b"userxattr",
)


def find_options(changes: Path, work: Path) -> bytes:
    """Return the options with which overlays work for this user; empty if none do.

    `changes` is a folder that receives files of jobs, and `work` one for work
    directories. Children try it, because a process cannot leave its namespace.
    """
    if sys.platform != "linux":
        return b""
    for options in _OPTIONS:
        if _works(options, changes, work):
            return options
    return b""


def unlock(work: str) -> None:
    """Make the work directory of an overlay removable for its owner."""
    # The kernel leaves folders there that not even their owner may read.
    for name in ("work", "work/incompat", "work/incompat/volatile", "index"):
        with suppress(OSError):
            os.chmod(os.path.join(work, name), 0o700)


def _works(options: bytes, changes: Path, work: Path) -> bool:
    upper = Path(tempfile.mkdtemp(prefix=".riseml-", dir=changes))
    scratch = Path(tempfile.mkdtemp(prefix=".riseml-", dir=work))
    try:
        for name in ("work", "lower/old/file"):
            (scratch / name).mkdir(parents=True)
        pid = os.fork()
        if not pid:
            _try(options, os.fsencode(upper), os.fsencode(scratch))
        return os.waitpid(pid, 0)[1] == 0
    finally:
        shutil.rmtree(upper, ignore_errors=True)
        unlock(os.fspath(scratch / "work"))
        shutil.rmtree(scratch, ignore_errors=True)


def _try(options: bytes, upper: bytes, scratch: bytes) -> None:
    """Exit with 0 if an overlay works: files, and folders that replace others."""
    try:
        target = b"/riseml-probe"
        layers = {target: (options, scratch + b"/work", scratch + b"/lower")}
        os.chdir(scratch)
        mounts.enter([(upper, target, False)], (), layers)
        old = target + b"/old"
        os.rmdir(old + b"/file")
        os.rmdir(old)
        os.mkdir(old)
        if not os.listdir(old) and os.listdir(upper) == [b"old"]:
            os._exit(0)
    finally:
        os._exit(1)
