"""Working copy of a job: an overlay above a shared checkout, else a checkout of its own.

overlay       /code = <output>/workdir above <home>/checkouts/<project>/<revision>,
              and above the files of install steps
own checkout  /code = a folder of the job; changed files move to <output>/workdir
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from riseml.dataclass import dataclass
from riseml.engines.local.home import HomeLayout
from riseml.engines.local.jobs.launcher import Mount
from riseml.engines.local.jobs.pod_mounts import sources_of
from riseml.engines.local.jobs.workdir import Workdir
from riseml.status import document as doc

CODE = "/code"
_RISEML = "/riseml"
_CHECKOUT = "checkout"
_DEFAULT_LIMIT = 10_000_000_000


@dataclass(frozen=True)
class WorkingCopy:
    """Where a job works, and where the files stay that it leaves there.

    `overlay` is the mount of its code, None if it has a checkout of its own. `files`
    are written before the job starts, since no init step does it.
    """

    workdir: Workdir
    overlay: Mount | None = None
    files: tuple[tuple[Path, str], ...] = ()


def working_copy(
    template: Mapping[str, Any],
    layout: HomeLayout,
    directory: Path,
    mounts: Sequence[Mount],
    *,
    begun: bool,
) -> WorkingCopy | None:
    """Return the working copy of a job, None for pods that have no code or output.

    A job that has `begun` keeps the one that it started with.
    """
    folders = sources_of(mounts)
    variables = doc.variables(template["container"])
    output = folders.get(variables.get("OUTPUT_DIR", ""))
    steps = template.get("initContainers", ())
    names = [step["name"] for step in steps]
    # Other init steps would need the code before the job has it. A container whose image
    # has /code copies it there itself.
    if output is None or names != [_CHECKOUT] or CODE not in folders:
        return None
    (checkout,) = steps
    private = Path(folders[_RISEML])
    workdir = _own_checkout(variables, Path(output), folders[CODE], private)
    overlay = directory / "overlay"
    lower = _layers(template, layout, checkout)
    is_usable = overlay.is_dir() if begun else _is_usable(layout, workdir, lower)
    if not is_usable:
        return WorkingCopy(workdir)
    changes = workdir.kept
    workdir = workdir._replace(
        changes=changes, lower=lower, stamp="", work=str(overlay)
    )
    layers = (layout.overlay, str(overlay), *lower)
    *_, library = checkout["args"]
    file = private / "lib" / "riseml.py"
    return WorkingCopy(
        workdir, Mount(changes, CODE, layers=layers), files=((file, library),)
    )


def set_aside(workdir: Workdir, attempt: int) -> None:
    """Move files that an earlier attempt has kept out of the way.

    They stay beside the new ones: `workdir.1` has those of the first attempt.
    """
    kept = Path(workdir.kept)
    if not kept.exists():
        return
    number = max(attempt, 1)
    while _earlier(workdir, number).exists():
        number += 1
    earlier = _earlier(workdir, number)
    earlier.parent.mkdir(parents=True, exist_ok=True)
    kept.rename(earlier)


def _earlier(workdir: Workdir, number: int) -> Path:
    output = Path(workdir.kept.removesuffix(workdir.title.rstrip("/")))
    folder, *job = PurePosixPath(workdir.title).parts
    return output.joinpath(f"{folder}.{number}", *job)


def _own_checkout(
    variables: Mapping[str, str], output: Path, code: str, private: Path
) -> Workdir:
    title = "workdir"
    if "RISEML_GANG" in variables:
        # Each job of a gang has a working copy of its own.
        title = f"workdir/{variables['RISEML_JOB']}"
    limit = variables.get("RISEML_WORKDIR_LIMIT", "")
    return Workdir(
        changes=code,
        kept=str(output / title),
        title=f"{title}/",
        note=str(private / "workdir"),
        limit=int(limit) if limit.isdecimal() else _DEFAULT_LIMIT,
        stamp=str(private / "started"),
    )


def _layers(
    template: Mapping[str, Any], layout: HomeLayout, checkout: Mapping[str, Any]
) -> tuple[str, ...]:
    variables = doc.variables(checkout)
    project = PurePosixPath(variables["REPOSITORY"]).stem
    layers = [str(layout.checkout(project, variables["REVISION"]))]
    environment = layout.environment(template["container"].get("image", ""))
    if environment is not None:
        # Files that its install steps left there, as in the /code of an image.
        layers.append(str(environment / "code"))
    return tuple(layers)


def _is_usable(layout: HomeLayout, workdir: Workdir, layers: Sequence[str]) -> bool:
    if not (layout.mounts and layout.overlay):
        return False
    if not all(map(os.path.isdir, layers)):
        return False
    # The work directory of an overlay has to be on the file system of its changes.
    return _device(workdir.kept) == os.stat(layout.home).st_dev  # noqa: PTH116


def _device(path: str) -> int:
    """Return the file system of a path, or that of its first parent that exists."""
    while True:
        try:
            return os.stat(path).st_dev  # noqa: PTH116
        except OSError:
            path = os.path.dirname(path)  # noqa: PTH120
