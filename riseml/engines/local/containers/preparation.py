"""Images that the jobs of a run need in containers: those that are there, and those to pull or build.

    image of riseml.yml ──▶ base, with its digest ──▶ key ──▶ localhost/riseml/<key>

Jobs run by image id, so that all experiments of a run have the same image.
"""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from riseml.dataclass import dataclass, replace
from riseml.engines.local.containers import images
from riseml.engines.local.containers.choice import Choice
from riseml.engines.local.containers.images import LocalImage
from riseml.engines.local.containers.names import BUILT
from riseml.engines.local.containers.program import PROGRAMS, ContainerProgram
from riseml.errors import RiseMLError
from riseml.plan import Build, ExperimentSet
from riseml.project.image_key import BASE, ImageKey, image_key
from riseml.project.revision_files import project_files


@dataclass(frozen=True)
class Preparation:
    """How the jobs of a run in containers get their image; `notes` are for the user."""

    build: Build
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Preparer:
    """Finder of the images of one submission: `program` is the one that runs its jobs."""

    program: ContainerProgram
    home: Path
    revision: str

    def prepare(
        self, plan: ExperimentSet, choice: Choice, base: str = ""
    ) -> Preparation:
        """Return how the jobs of a plan get their image.

        `base` is the image that an earlier run has used, with its digest.

        Raises:
            ProjectError: the code cannot be read.
            RiseMLError: the container engine does not answer.
        """
        present = choice.image
        notes: tuple[str, ...] = ()
        if base:
            present = self._pinned(base)
        else:
            base = base_of(plan.image, choice)
            if choice.digest and not _is_current(choice):
                present = None
        if choice.is_unanswered:
            notes = (_NOT_ASKED.format(image=plan.image),)
        return Preparation(self._build(plan, base, present), notes)

    def key(self, plan: ExperimentSet, base: str) -> ImageKey:
        """Return the key of a plan's image; it is the same on a cluster."""
        files = project_files(self.home, plan.project, self.revision)
        # Nothing of the machine is in an image, so none is hidden.
        return image_key(replace(plan, isolated=False), files, base=base)

    def built(self, key: str) -> str | None:
        """Return the id of the image that install steps have made, None if there is none."""
        image = images.find(self.program, f"{BUILT}{key}")
        return image.id if image else None

    def _build(
        self, plan: ExperimentSet, base: str, present: LocalImage | None
    ) -> Build:
        key = self.key(plan, base)
        if plan.install:
            return Build(key.text, key.steps, self.built(key.text), key.parts[BASE])
        return Build(key.text, (), present.id if present else None, base)

    def _pinned(self, base: str) -> LocalImage | None:
        """Return an image by its digest, which may be that of its configuration."""
        present = images.find(self.program, base)
        if present is None and "@" in base:
            id_ = base.rpartition("@")[2].removeprefix("sha256:")
            present = images.find(self.program, id_)
        return present


_NOT_ASKED = (
    "{image} may have changed: its registry does not answer, so the image that is here"
    " is used."
)


def base_of(image: str, choice: Choice) -> str:
    """Return the image that jobs or install steps start from, with its digest if known."""
    if "@" in image:
        return image
    digest = choice.digest
    if not digest and choice.image is not None:
        digest = choice.image.identity
    return f"{image}@{digest}" if digest else image


def _is_current(choice: Choice) -> bool:
    return choice.image is not None and choice.digest in choice.image.digests


def find_built(key: str, environment: Mapping[str, str]) -> str | None:
    """Return the name of the image with install steps of a key, None if there is none."""
    name = f"{BUILT}{key}"
    for program_name in PROGRAMS:
        program = ContainerProgram.find(program_name, environment)
        # A program that does not work has no image for a run.
        with suppress(RiseMLError):
            if program is not None and images.find(program, name):
                return name
    return None
