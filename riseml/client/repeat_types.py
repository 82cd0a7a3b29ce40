"""Values of the methods that repeat, extend and continue runs."""

from typing import TYPE_CHECKING

from riseml.client.project_folder import CONFIG_FILE
from riseml.client.types import NO_OVERRIDES, Overrides
from riseml.dataclass import dataclass
from riseml.errors import Fault

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from riseml.project import Snapshot


@dataclass(frozen=True)
class FolderCode:
    """The code and the configuration in a folder as they are now: a riseml.yml and what is beside it.

    The fields are as in `Client.train`.
    """

    path: "str | Path" = CONFIG_FILE
    overrides: Overrides = NO_OVERRIDES
    gitignore: bool | None = None
    node: str = ""
    on_sync: "Callable[[Snapshot], None] | None" = None


@dataclass(frozen=True)
class Repetition:
    """A run that `rerun` started; other methods take its `id`.

    It runs the code of `revision`. `notes` and `tensorboard` are as in `RunHandle`.
    """

    id: str
    name: str
    project: str
    is_set: bool
    experiments: int
    revision: str
    notes: tuple[str, ...] = ()
    tensorboard: str | None = None


@dataclass(frozen=True)
class Grown:
    """A run that `retry` or `extend` gave experiments; `experiments` are their ids.

    There are none if there was nothing to do. `notes`, `warnings` and `tensorboard` are as
    in `RunHandle`.
    """

    id: str
    project: str
    is_set: bool
    experiments: tuple[str, ...]
    notes: tuple[str, ...] = ()
    warnings: tuple[Fault, ...] = ()
    tensorboard: str | None = None
