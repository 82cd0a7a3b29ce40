"""What some engines provide beside running experiments: code and packages of runs, and short reads."""

from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from riseml.ids import Id
from riseml.status import SetStatus

if TYPE_CHECKING:
    from riseml.project import Snapshot


@runtime_checkable
class KeepsCode(Protocol):
    """Provided by engines that can return the code of a run."""

    def repository(self, run: SetStatus) -> Path:
        """Return a repository on this machine that has the revision of a run.

        Raises:
            RiseMLError: the code does not exist any more, or cannot be reached.
        """

    def record(
        self, project: str, folder: Path, *, gitignore: bool = True
    ) -> "Snapshot":
        """Store the code of a folder on this machine alone.

        It has the same revision as a snapshot of the engine.

        Raises:
            ProjectError: something in the folder cannot be read.
            HomeError: the home cannot be written.
        """


@runtime_checkable
class KnowsPackages(Protocol):
    """Provided by engines that can list the Python packages of a run's environment."""

    def packages(self, run: SetStatus) -> dict[str, str] | None:
        """Return the versions of packages by name, None if they are not known."""


@runtime_checkable
class SummarizesRuns(Protocol):
    """Provided by engines that read an experiment set without the jobs of its experiments."""

    def read_brief(self, run: Id) -> SetStatus:
        """Return a run; experiments of a set may lack their jobs.

        Those at work have them, and the one in the id.

        Raises:
            NotFoundError: there is no such run.
        """

    def with_experiments(self, run: Id) -> SetStatus:
        """Return a run with its experiments and their results, without jobs.

        Raises:
            NotFoundError: there is no such run.
        """
