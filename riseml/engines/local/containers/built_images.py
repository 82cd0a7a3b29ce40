"""Images that install steps of this home have made: listed with their sizes, and removed when unused.

    <home>/images/<key>     its time is that of the last submission that used the image

Images that were pulled belong to the user, who may need them elsewhere.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from riseml.dataclass import dataclass
from riseml.engines.local.containers.names import BUILT
from riseml.engines.local.containers.program import PROGRAMS, ContainerProgram
from riseml.engines.local.jobs.build_image import KEY_LABEL
from riseml.engines.local.jobs.container_removal import HOME_LABEL
from riseml.errors import RiseMLError

_FOLDER = "images"


@dataclass(frozen=True)
class BuiltImage:
    """An image with install steps; `size` is in bytes, with the image that it is based on.

    `last_use` is in seconds since 1970, 0 if it is not known.
    """

    key: str
    program: ContainerProgram
    size: int
    last_use: float

    @property
    def name(self) -> str:
        """Its name among the images of its program."""
        return f"{BUILT}{self.key}"


def mark_used(home: Path, key: str) -> None:
    """Record that a submission uses the image of a key."""
    stamp = home / _FOLDER / key
    # Without it, `prune` takes the image for an old one; it is only built again then.
    with suppress(OSError):
        stamp.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        stamp.touch()
        os.utime(stamp)


def built_images(home: Path, environment: Mapping[str, str]) -> Iterator[BuiltImage]:
    """Yield the images that this home has built; those of a broken engine are left out."""
    if not (home / _FOLDER).is_dir():
        return
    for name in PROGRAMS:
        program = ContainerProgram.find(name, environment)
        if program is not None:
            with suppress(RiseMLError):
                yield from _images_of(program, home)


def remove_unused(
    home: Path, environment: Mapping[str, str], unused_since: float
) -> int:
    """Remove images unused since a time, in seconds since 1970; return their number.

    One that a container still uses stays.
    """
    removed = 0
    for image in list(built_images(home, environment)):
        if image.last_use >= unused_since:
            continue
        completed = image.program.call("image", "rm", image.name)
        if completed.returncode == 0:
            (home / _FOLDER / image.key).unlink(missing_ok=True)
            removed += 1
    return removed


def _images_of(program: ContainerProgram, home: Path) -> Iterator[BuiltImage]:
    label = f"{HOME_LABEL}={home}"
    for id_ in program.list_ids(("image", "ls"), label):
        record = program.inspect_image(id_) or {}
        labels = (record.get("Config") or {}).get("Labels") or {}
        key = labels.get(KEY_LABEL)
        if key:
            size = int(record.get("Size", 0))
            yield BuiltImage(key, program, size, _last_use(home / _FOLDER / key))


def _last_use(stamp: Path) -> float:
    try:
        return stamp.stat().st_mtime
    except OSError:
        return 0.0
