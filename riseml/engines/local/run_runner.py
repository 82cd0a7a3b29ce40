"""Runner of a run that is about to be submitted, as its controller gets it."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from riseml.dataclass import dataclass
from riseml.engines import Submission
from riseml.engines.capabilities import RunnerChoice
from riseml.engines.local.containers.choice import Choice, Chooser
from riseml.engines.local.serialize import build_to_data
from riseml.plan import Build, ExperimentSet
from riseml.settings import PROCESS

if TYPE_CHECKING:
    from riseml.engines.local.containers.preparation import Preparer


@dataclass(frozen=True)
class RunRunner:
    """The runner of a run, and how its containers get their image; None for processes.

    `notes` are for the user.
    """

    choice: RunnerChoice
    build: Build | None = None
    notes: tuple[str, ...] = ()

    @property
    def prepares(self) -> bool:
        """Whether an image has to be pulled or built before the jobs start."""
        return self.build is not None and not self.build.image

    def to_data(self) -> dict[str, Any]:
        """Return what the controller gets, as JSON data."""
        return {
            "name": self.choice.name,
            "is_explained": self.choice.is_notable,
            "build": build_to_data(self.build),
        }

    def all_notes(self, submission: Submission) -> Iterator[str]:
        """Yield the notes, and which Python processes get."""
        yield from self.notes
        # What is added to a run is said to be as the rest of it.
        if self.choice.name == PROCESS and submission.into is None:
            # It asks the Python of the user.
            from riseml.engines.local import job_environment  # noqa: PLC0415

            note = job_environment.python_note(submission.plan, submission.environment)
            yield from filter(None, (note,))


def choose(
    home: Path, plan: ExperimentSet, runner: str, environment: Mapping[str, str]
) -> Choice:
    """Return the runner of a plan; see `Chooser.choose`."""
    return Chooser(home, environment).choose(runner, plan)


def prepare(home: Path, submission: Submission, runner: str) -> RunRunner:
    """Return the runner of a submission, and what its containers need.

    Raises:
        UnsupportedError: the user has named a runner that does not work here.
        RiseMLError: the container engine, or the code, cannot be read.
    """
    choice = choose(home, submission.plan, runner, submission.environment)
    if choice.program is None:
        return RunRunner(choice.runner)
    # Runs of processes need no images.
    from riseml.engines.local.containers import built_images  # noqa: PLC0415
    from riseml.engines.local.containers.preparation import Preparer  # noqa: PLC0415

    preparer = Preparer(choice.program, home, submission.revision)
    prepared = preparer.prepare(submission.plan, choice, submission.base)
    if submission.plan.install:
        built_images.mark_used(home, prepared.build.key)
    return RunRunner(choice.runner, prepared.build, prepared.notes)


def image_preparer(
    home: Path,
    plan: ExperimentSet,
    revision: str,
    runner: str,
    environment: Mapping[str, str],
) -> tuple["Preparer | None", str]:
    """Return what knows the image of a plan, and the image that it starts from.

    The first is None for processes.
    """
    choice = choose(home, plan, runner, environment)
    if choice.program is None:
        return None, ""
    from riseml.engines.local.containers import preparation  # noqa: PLC0415

    preparer = preparation.Preparer(choice.program, home, revision)
    return preparer, preparation.base_of(plan.image, choice)
