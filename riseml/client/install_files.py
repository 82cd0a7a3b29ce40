"""Install steps of a riseml.yml and its folder: the files that they name, and what cannot be known about them."""

from pathlib import Path

from riseml.dataclass import replace
from riseml.errors import Fault, ProjectError
from riseml.plan import Build, ExperimentSet
from riseml.project.folder_files import folder_files
from riseml.project.image_key import image_key, step_files

_ADVICE = "Name the files that it needs under `build_files`: install steps see only files that are named."

_MISSING_ADVICE = "Create it, or see whether .gitignore or .risemlignore leaves it out."


def warnings(plan: ExperimentSet, path: Path) -> list[Fault]:
    """Return a warning for everything about the files of install steps that only a shell knows."""
    faults: list[Fault] = []
    if not plan.install:
        return faults
    try:
        steps = step_files(plan, folder_files(path.absolute().parent))
    except ProjectError:
        # The snapshot will name the folder that cannot be read.
        return faults
    lines = "\n".join(plan.install)
    for number, (_, needed) in enumerate(steps, 1):
        questions = [] if plan.build_files else list(needed.questions)
        for question in questions:
            message = f"install step {number}: RiseML cannot know {question}"
            faults.append(Fault(str(path), 0, 0, message, "warning", advice=_ADVICE))
        for name in needed.missing:
            # A name that occurs twice may be that of a file which a step writes.
            if lines.count(name) < 2:  # noqa: PLR2004
                message = f"install step {number} needs {name}, which the project does not have"
                faults.append(
                    Fault(str(path), 0, 0, message, "warning", advice=_MISSING_ADVICE)
                )
    return faults


def build_of(plan: ExperimentSet, path: Path) -> Build | None:
    """Return the build of a plan for the files beside a riseml.yml, without a key.

    It is None if there are no install steps, or if the files cannot be read.
    """
    if not plan.install:
        return None
    try:
        project = folder_files(path.absolute().parent)
    except ProjectError:
        return None
    steps = [replace(step, key="") for step in image_key(plan, project).steps]
    return Build("", tuple(steps))
