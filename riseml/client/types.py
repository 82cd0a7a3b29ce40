"""Values that the methods of `riseml.Client` return, beside the status of runs."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from riseml.client.project_folder import CONFIG_FILE

# Users of the API find it among the other values.
from riseml.engines import Pruned as Pruned  # noqa: PLC0414
from riseml.errors import Fault
from riseml.status import State

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from riseml.project import Snapshot


@dataclass(frozen=True)
class Overrides:
    """Changes of a riseml.yml, as on the command line.

    `parameters` are texts such as `lr=0.1`, `hidden=16,64` (several values) or
    `epochs=5..20..5` (a range), `settings` texts such as `train.timeout=1h`.
    """

    parameters: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()


NO_OVERRIDES = Overrides()


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
class RunHandle:
    """A run that `train` started.

    Other methods take its `id`. `notes` are for the user, once each. `tensorboard` is
    the address of its TensorBoard, None where the run has none (`has_tensorboard`) or it
    is not known yet. It may need some seconds before it answers.
    With `installs`, install steps run before its jobs, unless that has happened before.
    """

    id: str
    name: str
    project: str
    is_set: bool
    experiments: int
    snapshot: "Snapshot"
    notes: tuple[str, ...] = ()
    warnings: tuple[Fault, ...] = ()
    tensorboard: str | None = None
    installs: bool = False
    has_tensorboard: bool = False


@dataclass(frozen=True)
class Killed:
    """A run or experiment that `kill` stopped.

    `stopped` is False where it had already ended, in `state`.
    """

    id: str
    is_set: bool
    stopped: bool
    state: State


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
