"""Values that the methods of `riseml.Client` return, beside the status of runs."""

from typing import TYPE_CHECKING

from riseml.dataclass import dataclass

# Users of the API find it among the other values.
from riseml.engines import Pruned as Pruned  # noqa: PLC0414
from riseml.engines.capabilities import RunnerChoice
from riseml.errors import Fault
from riseml.status import State

if TYPE_CHECKING:
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
class RunHandle:
    """A run that `train` started.

    Other methods take its `id`. `notes` are for the user, once each. `tensorboard` is
    the address of its TensorBoard, None where the run has none (`has_tensorboard`) or it
    is not known yet. It may need some seconds before it answers.
    With `installs`, install steps run before its jobs, unless that has happened before.
    `runner` is what runs the jobs on one machine, None on a cluster.
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
    runner: RunnerChoice | None = None


@dataclass(frozen=True)
class Killed:
    """A run or experiment that `kill` stopped.

    `stopped` is False where it had already ended, in `state`.
    """

    id: str
    is_set: bool
    stopped: bool
    state: State
