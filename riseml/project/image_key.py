"""Key of the image that install steps make: equal keys need no second build.

base image, install steps, requirements*.txt, build_files, and every project file that a step
names (a folder: everything below it) ──key──▶ ImageKey

A change of another file of the project keeps the key.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from riseml.plan import ExperimentSet

# The part of a key that names the base image.
BASE = "image"
_WORD = re.compile(r"[^\s'\"=;&|<>()`]+")


@dataclass(frozen=True)
class ImageKey:
    """A key, and what it is made of.

    `parts` maps what the user knows (a step, a file) to its digest. `files` are the paths
    that the build needs.
    """

    text: str
    parts: Mapping[str, str]
    files: tuple[str, ...]


def image_key(
    plan: ExperimentSet, files: Mapping[str, str], *, base: str = "", salt: str = ""
) -> ImageKey:
    """Return the key of the plan's image.

    `files` maps each path of the code to a digest of its mode and content. `base` is the
    base image with its digest, if that is known. `salt` stands for what else the image
    depends on, such as the Python of a virtual environment.
    """
    needed = tuple(sorted(_needed(plan, files)))
    parts = {BASE: base or plan.image}
    for number, step in enumerate(plan.install, 1):
        parts[f"install {number}"] = step
    for path in needed:
        parts[path] = files[path]
    if salt:
        # The name is part of every key: another one would rebuild all environments.
        parts["place"] = salt
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
    return ImageKey(digest[:24], parts, needed)


def _needed(plan: ExperimentSet, files: Mapping[str, str]) -> list[str]:
    """Return the files that the build needs.

    A file that several words name occurs several times.
    """
    needed = [path for path in files if fnmatchcase(path, "requirements*.txt")]
    words = set(plan.build_files)
    for step in plan.install:
        words.update(_WORD.findall(step))
    for word in words:
        needed += _matching(word, files)
    return needed


def _matching(word: str, files: Mapping[str, str]) -> Iterable[str]:
    """Return the files that a word names: a file, or all files of a folder."""
    path = str(PurePosixPath(word))
    if path == ".":
        return files
    if path in files:
        return (path,)
    if path.startswith(("/", "..")):
        return ()
    return _below(path, files)


def _below(folder: str, files: Mapping[str, str]) -> Iterator[str]:
    for path in files:
        if path.startswith(f"{folder}/"):
            yield path
