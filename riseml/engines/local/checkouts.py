"""Checkouts that the working copies of jobs share: one per revision, made by the command that starts a run.

    train ──ensure──▶ <home>/checkouts/<project>/<revision> ──lower layer──▶ /code of each job
                                   └── `unused` ──▶ removed once no run needs it

Unchanged files are hard links to those of the checkout that was used last. Jobs cannot write
to them, because an overlay copies a file before its first change. The folder `checkouts` exists
only where overlays work. Where a checkout is missing, jobs make their own.
"""

import os
import time
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from riseml import home_folder
from riseml.dataclass import replace
from riseml.engines.local import home as home_
from riseml.engines.local.home import HomeLayout
from riseml.errors import HomeError

# The run of a younger checkout may not be recorded yet.
_FRESH_SECONDS = 600.0
_PARTIAL = ".part-"


def prepare(layout: HomeLayout) -> HomeLayout:
    """Return a layout that says whether jobs of this home can use overlays."""
    # Only the controller needs it.
    from riseml.engines.local.jobs import overlays  # noqa: PLC0415

    options = ""
    if layout.mounts and os.environ.get("RISEML_MOUNTS") != "no-overlay":
        output = home_.output_folder(layout.home)
        options = overlays.find_options(output, layout.home / "runs").decode()
    folder = home_.checkouts(layout.home)
    if options:
        home_folder.make_folder(folder)
    elif folder.is_dir():
        # Commands make no checkouts if nothing can use them.
        folder.rename(folder.with_name(f"{folder.name}.unused-{time.time_ns()}"))
    return replace(layout, overlay=options)


def ensure(home: Path, project: str, revision: str) -> None:
    """Make the shared checkout of a revision if jobs of this home can use it.

    Jobs make their own if there is none, so a failure is not an error.
    """
    folder = home_.checkouts(home)
    if not folder.is_dir():
        return
    target = folder / project / revision
    if _touch(target):
        return
    base = _latest(target.parent)
    # Only a new revision needs it.
    from riseml.project import checkout, repository_of  # noqa: PLC0415

    # Another command may make the same one at the same time.
    partial = target.with_name(f"{_PARTIAL}{os.getpid()}-{time.time_ns()}")
    try:
        partial.mkdir(parents=True)
        repository = repository_of(project, home)
        checkout(repository, revision, partial, link=True, base=base)
        partial.rename(target)
    except (HomeError, OSError):
        # Another command was faster, or jobs will say what is wrong with their own.
        import shutil  # noqa: PLC0415

        shutil.rmtree(partial, ignore_errors=True)


def take_unused(home: Path, used: Collection[tuple[str, str]]) -> list[Path]:
    """Return folders of checkouts that no run uses, renamed so that none will.

    `used` are the projects and revisions of the runs that have not ended.
    """
    taken = []
    for path in unused(home, used):
        target = path.with_name(f"{_PARTIAL}{path.name}-{time.time_ns()}")
        # Another process may remove it.
        with suppress(OSError):
            path.rename(target)
            taken.append(target)
    return taken


def unused(home: Path, used: Collection[tuple[str, str]]) -> list[Path]:
    """Return the folders of checkouts that no run uses; see `take_unused`."""
    limit = time.time() - _FRESH_SECONDS
    folders = []
    for path in home_.checkouts(home).glob("*/*"):
        is_used = (path.parent.name, path.name) in used
        # Another process may remove it.
        with suppress(OSError):
            if not is_used and path.stat().st_mtime <= limit:
                folders.append(path)
    return folders


def _latest(folder: Path) -> Path | None:
    """Return the checkout of a project that was used last, None if there is none."""
    checkouts = []
    for path in folder.glob("[!.]*"):
        # The controller may remove it.
        with suppress(OSError):
            checkouts.append((path.stat().st_mtime, path))
    return max(checkouts)[1] if checkouts else None


def _touch(folder: Path) -> bool:
    """Mark a checkout as used just now; return whether it exists."""
    try:
        os.utime(folder)
    except FileNotFoundError:
        return False
    return True
