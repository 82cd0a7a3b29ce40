"""What the client's verbs return, beside the status of runs, and how a part of a run is found by its id."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from riseml.errors import Fault
from riseml.status import State

if TYPE_CHECKING:
    from riseml.project import Snapshot


@dataclass(frozen=True)
class RunHandle:
    """What `train` started; `id` is what the other verbs take, `notes` are for the user, once each.

    `tensorboard` is the address of its TensorBoard, where that is known by now.
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


@dataclass(frozen=True)
class Killed:
    """What `kill` did; `stopped` is False where it had ended already, in `state`."""

    id: str
    is_set: bool
    stopped: bool
    state: State
