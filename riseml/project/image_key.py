"""Which image install steps make: a key over everything that can change it, so that equal keys need no second build.

base image, install steps, requirements*.txt, every project file that a step names (a directory: all below it),
build_files ──key──▶ ImageKey            an edit elsewhere in the code never rebuilds
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from riseml.plan import ExperimentSet

# The part of a key that names the base image
BASE = "image"
_WORD = re.compile(r"[^\s'\"=;&|<>()`]+")


@dataclass(frozen=True)
class ImageKey:
    """A key with what it was made of: `parts` maps what a person knows (a step, a file) to its digest."""

    text: str
    parts: Mapping[str, str]
    files: tuple[str, ...]


def image_key(
    plan: ExperimentSet, files: Mapping[str, str], *, base: str = "", salt: str = ""
) -> ImageKey:
    """Return the key of the plan's image; `files` maps each path of the code to a digest of mode and content.

    `base` is the base image with its digest, where that is known; `salt` stands for what else the place adds, such as
    the Python that a virtual environment belongs to.
    """
    needed = tuple(sorted(_needed(plan, files)))
    parts = {
        BASE: base or plan.image,
        **{f"install {n}": step for n, step in enumerate(plan.install, 1)},
        **{path: files[path] for path in needed},
        **({"place": salt} if salt else {}),
    }
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
    return ImageKey(digest[:24], parts, needed)


def _needed(plan: ExperimentSet, files: Mapping[str, str]) -> Iterable[str]:
    """Yield the files that the build sees."""
    yield from (path for path in files if fnmatchcase(path, "requirements*.txt"))
    named = {word for step in plan.install for word in _WORD.findall(step)} | set(
        plan.build_files
    )
    for word in named:
        path = str(PurePosixPath(word))
        if path == ".":
            yield from files
        elif path in files:
            yield path
        elif not path.startswith(("/", "..")):
            yield from (file for file in files if file.startswith(f"{path}/"))
