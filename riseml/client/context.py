"""What all verbs of `riseml.Client` stand on: the settings, the engine, and how ids and riseml.yml are read."""

from pathlib import Path
from typing import TYPE_CHECKING

from riseml import ids
from riseml.engines import Engine
from riseml.errors import InvalidInputError
from riseml.ids import Id
from riseml.settings import Settings
from riseml.status import SetStatus

if TYPE_CHECKING:
    from riseml.config import Loaded
    from riseml.plan import ExperimentSet
    from riseml.project import Snapshot

CONFIG_FILE = "riseml.yml"


class Verbs:
    """What a client has and reads; `Client` says which engine and settings."""

    @property
    def engine(self) -> Engine:
        """What runs the experiments."""
        raise NotImplementedError

    @property
    def settings(self) -> Settings:
        """The settings that hold for this user in the current folder."""
        raise NotImplementedError

    def read(self, id: str | Id | None = None) -> SetStatus:
        """Return the whole run that an id belongs to.

        Raises:
            NotFoundError: no such run.
        """
        wanted = self._find(id)
        return self.engine.read(Id(wanted.user, wanted.number))

    def _load(self, path: str | Path) -> "Loaded":
        from riseml import config

        return config.load(Path(path))

    def _plan(self, config: "Loaded") -> "ExperimentSet":
        from riseml.planner import plan

        return plan(config)

    def _snapshot(
        self, config: "Loaded", path: str | Path, gitignore: bool | None
    ) -> "Snapshot":
        folder = Path(path).absolute().parent
        honoured = self.settings.gitignore if gitignore is None else gitignore
        return self.engine.snapshot(config.project, folder, gitignore=honoured)

    def _find(self, name: str | Id | None) -> Id:
        wanted = (
            self.engine.latest()
            if name is None
            else ids.parse(name)
            if isinstance(name, str)
            else name
        )
        if wanted.kind == "user":
            raise InvalidInputError(
                f"'{wanted}' does not identify any experiment or job",
                "Ids look like 14 or 14.3.",
            )
        return wanted

    def _experiment(self, name: str | Id, complaint: str) -> Id:
        wanted = ids.parse(name) if isinstance(name, str) else name
        if wanted.kind != "experiment":
            raise InvalidInputError(
                complaint,
                f"{wanted} is a {wanted.kind}; ids of experiments look like 14 or 14.3.",
            )
        return wanted
