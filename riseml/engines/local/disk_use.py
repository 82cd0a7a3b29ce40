"""Disk space of a home by run, project and kind, and what `prune` would free of it.

output/<user>/<project>/<number>   outputs
store/repos, checkouts             code
envs                               environments of install steps
everything else but data           other: the database, logs, files that belong to no run
"""

import os
from collections.abc import Iterator, Sequence
from itertools import repeat
from operator import attrgetter
from pathlib import Path

from riseml import phrases
from riseml.consumption import Disk, DiskUse
from riseml.consumption.disk import Folder, freed, measure, taken
from riseml.engines.local import checkouts, home
from riseml.engines.local.containers.built_images import BuiltImage, built_images
from riseml.engines.local.controller import environments
from riseml.engines.local.outputs import is_number
from riseml.engines.local.store import Store
from riseml.project import repositories, unused_code
from riseml.status import SetStatus

_KINDS = frozenset({"output", "store", "checkouts", "envs", "data"})


def measured(
    home_folder: Path,
    store: Store,
    runs: Sequence[SetStatus],
    unused_since: float,
) -> DiskUse:
    """Return the disk space of a home, and what removing `runs` and what is unused would free.

    `unused_since` is in seconds since 1970.

    Raises:
        HomeError: the code of a project cannot be read, or Git is missing.
    """
    known = frozenset(map(str, store.numbers()))
    has_active = bool(store.unfinished())
    by_run, rest = _outputs(home_folder)
    outputs = {}
    others = [measure(home_folder, skip=_KINDS), rest]
    for number, folder in by_run.items():
        if number in known:
            outputs[number] = taken([folder])
        else:
            others.append(folder)
    code = {}
    for project, folders in _code(home_folder):
        code[project] = taken(folders)
    builds = list((home_folder / "envs").glob("*"))
    images = list(built_images(home_folder, os.environ))
    unused: list[Path] = []
    unused_images = 0
    # Jobs may use what seems unused.
    if not has_active:
        unused = environments.unused(home_folder, unused_since)
        unused_images = sum(image.last_use < unused_since for image in images)
    removed = map(attrgetter("id"), runs)
    freed_disk = Disk(
        outputs=freed(map(by_run.get, removed, repeat(Folder()))),
        code=_freed_code(home_folder, runs, has_active=has_active),
        builds=freed(map(measure, unused)),
    )
    return DiskUse(
        outputs=outputs,
        code=code,
        builds=taken(map(measure, builds)),
        build_count=sum(map(environments.is_complete, builds)) + len(images),
        other=taken(others),
        last_number=store.last_number(),
        freed=freed_disk,
        unused_builds=sum(map(environments.is_build, unused)) + unused_images,
        notes=tuple(_notes(builds, images, has_active=has_active)),
    )


def _notes(
    builds: Sequence[Path], images: Sequence[BuiltImage], *, has_active: bool
) -> Iterator[str]:
    if has_active and (builds or images):
        yield "`prune` keeps environments and images while a run is active."
    if images:
        # Several share the layers of the image that they are based on.
        size = phrases.size(sum(map(attrgetter("size"), images)))
        count = phrases.plural(len(images), "image")
        yield f"Install steps have made {count} of up to {size}, which are not counted here."


def _outputs(home_folder: Path) -> tuple[dict[str, Folder], Folder]:
    """Return the outputs of runs by id, and what else there is in the folder of outputs."""
    by_run = {}
    rest = measure(home.output_folder(home_folder), skip=_children(home_folder))
    for project in home.output_folder(home_folder).glob("*/*"):
        numbers = frozenset(name for name in _names(project) if is_number(name))
        remainder = measure(project, skip=numbers)
        rest.size += remainder.size
        rest.links.update(remainder.links)
        for number in numbers:
            by_run[number] = measure(project / number)
    return by_run, rest


def _children(home_folder: Path) -> frozenset[str]:
    return frozenset(_names(home.output_folder(home_folder)))


def _names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()] if folder.is_dir() else []


def _code(home_folder: Path) -> Iterator[tuple[str, list[Folder]]]:
    """Yield projects with their repository and their checkouts, which share large files."""
    folders: dict[str, list[Folder]] = {}
    for path in repositories(home_folder).glob("*.git"):
        folders.setdefault(path.stem, []).append(measure(path))
    for path in home.checkouts(home_folder).glob("*"):
        folders.setdefault(path.name, []).append(measure(path))
    yield from folders.items()


def _freed_code(
    home_folder: Path,
    runs: Sequence[SetStatus],
    *,
    has_active: bool,
) -> int:
    removed = frozenset(run.number for run in runs if run.number is not None)
    unused = unused_code(home_folder, removed)
    paths = [path for project in unused for path in project.files]
    if not has_active:
        paths += map(str, checkouts.unused(home_folder, ()))
    return sum(project.objects for project in unused) + freed(map(measure, paths))
