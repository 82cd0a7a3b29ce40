"""Base of every method of `riseml.Client`: the settings, the engine, and how ids are read."""

import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from riseml import ids
from riseml.client import project_folder
from riseml.engines import Engine, Query
from riseml.engines.open import open_engine
from riseml.errors import InvalidInputError
from riseml.ids import Id
from riseml.settings import SHARED_GPUS, Settings
from riseml.settings import load as load_settings
from riseml.status import SetStatus

if TYPE_CHECKING:
    from riseml.project import Snapshot

_NAMES_ADVICE = "Ids look like 14 or 14.3; `riseml tag ID --name NAME` names a run."


class ClientContext:
    """The settings and the engine of one client; both are opened when they are first used.

    `home` is the directory of the local engine, None for the one that the settings
    name. `engine` replaces the engine that the settings name.
    """

    def __init__(self, home: str | Path | None, engine: Engine | None) -> None:
        self._home = home
        self._engine = engine

    @cached_property
    def settings(self) -> Settings:
        """The settings that hold for this user in the current folder."""
        # A project's own settings file applies to commands that run in or below its folder.
        current = Path.cwd()
        folder = project_folder.find(current) or current
        return load_settings({"home": self._home}, project=folder)

    @cached_property
    def engine(self) -> Engine:
        """The engine that runs the experiments."""
        return self._engine or open_engine(self.settings)

    def snapshot(
        self, project: str, path: str | Path, gitignore: bool | None
    ) -> "Snapshot":
        """Store the code beside a riseml.yml, where jobs of the engine find it.

        Raises:
            ProjectError: a file cannot be read.
            HomeError: the code cannot be stored.
        """
        # The code of a riseml.yml is what lies beside it, wherever the command runs.
        folder = Path(path).absolute().parent
        return self.engine.snapshot(
            project, folder, gitignore=self.uses_gitignore(gitignore)
        )

    def environment(self) -> dict[str, str]:
        """Return the environment of this command, with the settings that jobs depend on."""
        shared = self.settings.gpus_shared_with_others
        return {**os.environ, SHARED_GPUS: "true" if shared else "false"}

    def uses_gitignore(self, gitignore: bool | None) -> bool:
        """Return whether .gitignore files count.

        None follows the settings.
        """
        if gitignore is None:
            return self.settings.gitignore
        return gitignore

    def read(self, id: str | Id | None) -> SetStatus:
        """Return the run that an id belongs to.

        Raises:
            NotFoundError: there is no such run.
        """
        return self.engine.read(run_of(self.find_id(id)))

    def find_id(self, id: str | Id | None) -> Id:
        """Return the id of a run, experiment or job; None stands for the newest run.

        Raises:
            InvalidInputError: the text is not an id, or is the id of a user.
            NotFoundError: the user has no run.
        """
        parsed = self.engine.latest() if id is None else _parse(id)
        if parsed.kind != "user":
            return parsed
        run = self.named(str(id))
        if run is not None:
            return run
        if not str(id).startswith("."):
            raise _no_such_name(str(id))
        raise InvalidInputError(
            f"'{parsed}' does not identify any experiment or job", _NAMES_ADVICE
        )

    def named(self, name: str) -> Id | None:
        """Return the user's run of this name, None if there is none.

        Raises:
            InvalidInputError: several runs have the name.
        """
        # `.paul` is a user in any case.
        if name.startswith("."):
            return None
        runs = self.engine.list(Query(all=True, name=name))
        if len(runs) > 1:
            ids_of_runs = ", ".join(run.id for run in runs)
            raise InvalidInputError(
                f"several runs have the name {name}: {ids_of_runs}", "Use an id."
            )
        return ids.parse(runs[0].id) if runs else None

    def experiment_id(self, id: str | Id, complaint: str) -> Id:
        """Return the id of a run or experiment.

        Raises:
            InvalidInputError: no run has this name, or `complaint`, since it is the id of
                a user or job.
        """
        if not isinstance(id, str) or not ids.is_word(id):
            return experiment_id(id, complaint)
        run = self.named(id)
        if run is None:
            raise _no_such_name(id)
        return run


def experiment_id(id: str | Id, complaint: str) -> Id:
    """Return the id of a run or experiment, which no name stands for.

    Raises:
        InvalidInputError: `complaint`, since it is the id of a user or job.
    """
    parsed = _parse(id)
    if parsed.kind != "experiment":
        raise InvalidInputError(
            complaint,
            f"{parsed} is a {parsed.kind}; ids of experiments look like 14 or 14.3.",
        )
    return parsed


def _no_such_name(name: str) -> InvalidInputError:
    return InvalidInputError(f"no run has the name '{name}'", _NAMES_ADVICE)


def run_of(id: Id) -> Id:
    """Return the id of the run that an experiment or job belongs to."""
    return Id(id.user, id.number)


def _parse(id: str | Id) -> Id:
    return ids.parse(id) if isinstance(id, str) else id
