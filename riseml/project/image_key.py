"""Key of the image that install steps make: equal keys need no second build.

    base image ──▶ step 1, files that it needs ──▶ step 2, … ──▶ ImageKey
                        └── a key for the image after each step

A change of another file of the project keeps the key. A change of a step, or of a file
that it needs, keeps the keys of the steps before it.
"""

import hashlib
import json
from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from riseml.dataclass import dataclass
from riseml.plan import BuildStep, ExperimentSet
from riseml.project import install_files
from riseml.project.install_files import StepFiles
from riseml.project.project_files import ProjectFiles

# The part of a key that names the base image.
BASE = "image"
_LENGTH = 24


@dataclass(frozen=True)
class ImageKey:
    """A key, and what it is made of.

    `parts` maps what the user knows (a step, a file) to its digest. `steps` are the
    install steps with the files that they need.
    """

    text: str
    parts: Mapping[str, str]
    steps: tuple[BuildStep, ...]


def image_key(
    plan: ExperimentSet, project: ProjectFiles, *, base: str = "", salt: str = ""
) -> ImageKey:
    """Return the key of the plan's image.

    `base` is the base image with its digest, if that is known. `salt` stands for what
    else the image depends on, such as the Python of a virtual environment.
    """
    parts = {BASE: base or plan.image}
    if salt:
        parts["place"] = salt
    key = _digest(parts)
    steps: list[BuildStep] = []
    unchanged: set[str] = set()
    for number, (command, needed) in enumerate(step_files(plan, project), 1):
        step_parts = {f"install {number}": command, **_sorted(needed.inputs)}
        key = _digest({"after": key, **step_parts})
        steps.append(_build_step(command, needed, key, unchanged))
        unchanged |= needed.exact
        parts.update(step_parts)
    return ImageKey(key, parts, tuple(steps))


def step_files(
    plan: ExperimentSet, project: ProjectFiles
) -> list[tuple[str, StepFiles]]:
    """Return each install step of a plan with the files that it needs.

    Any step may need the files of `build_files`, so the first one copies them.
    """
    steps = [(step, install_files.of_step(step, project)) for step in plan.install]
    if steps and plan.build_files:
        named = install_files.of_paths(plan.build_files, project)
        _, first = steps[0]
        first.copied |= named.copied
        first.exact |= named.exact
        first.inputs |= named.inputs
    return steps


def _build_step(
    command: str, needed: StepFiles, key: str, unchanged: AbstractSet[str]
) -> BuildStep:
    """Return a step that copies what it needs, except for what earlier steps may have changed.

    `unchanged` are paths that earlier steps have copied and that count in their keys.
    """
    new = needed.copied - unchanged
    new -= install_files.below_any(new, unchanged)
    files = install_files.outermost(new)
    without = install_files.below_any(unchanged, files)
    return BuildStep(
        command,
        files,
        key,
        install_files.outermost(without),
        is_editable=not needed.copied <= needed.exact,
    )


def _sorted(inputs: Mapping[str, str]) -> dict[str, str]:
    return dict(sorted(inputs.items()))


def _digest(parts: Mapping[str, str]) -> str:
    text = json.dumps(parts, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:_LENGTH]
