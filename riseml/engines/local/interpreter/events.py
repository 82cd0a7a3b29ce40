"""What the interpreter is told (events) and what it asks for in return (actions).

    shell ── event ──▶ Run.apply ── actions ──▶ shell          nodes that changed: Run.dirty

The shell answers every `StartPod` with exactly one `PodEnded`, also for a pod that was stopped before it began.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

DEADLINE = "Pod was active on the node longer than the specified deadline"
"""The message of a `PodEnded` whose pod was ended by its `StartPod.deadline` (phase Failed)."""


class PodPending(NamedTuple):
    """The pod waits, for `message`: `Unschedulable: …`, `PodInitializing`, or nothing said."""

    node: str
    message: str = ""


class PodStarted(NamedTuple):
    """The main container runs, since `at` (None: now); a daemon is ready."""

    node: str
    at: float | None = None


class PodProgressed(NamedTuple):
    """The job wrote `n/m` to its progress file."""

    node: str
    progress: str


class PodEnded(NamedTuple):
    """All processes of the pod are gone.

    `exit_code` is that of the container that decided, `container`; None where nobody knows it. `message` replaces the
    usual `<container>: <reason> (exit code <n>)`, `phase` the usual Succeeded or Failed (Error: the platform's fault).
    `outputs` holds the output parameters whose files were written. `at` is when it ended (None: now): the shell may
    hear of it late.
    """

    node: str
    exit_code: int | None
    container: str = "main"
    # As a container runtime says it: Error, OOMKilled
    reason: str = "Error"
    message: str = ""
    outputs: Mapping[str, str] = MappingProxyType({})
    phase: str | None = None
    at: float | None = None


class LockGranted(NamedTuple):
    """All locks that the node asked for are its own."""

    node: str


class Annotated(NamedTuple):
    """An annotation of the Workflow has this value now."""

    key: str
    value: str


class Shutdown(NamedTuple):
    """`spec.shutdown` was set: `Terminate`, or `Stop` (the same where no exit handlers exist)."""

    strategy: str


class DeletePods(NamedTuple):
    """The pods whose labels match are deleted: `key=value` terms joined by commas."""

    selector: str


class Tick(NamedTuple):
    """The time that `Run.next_tick` named has come."""


Event = (
    PodPending | PodStarted | PodProgressed | PodEnded | LockGranted | Annotated | Shutdown | DeletePods | Tick
)  # fmt: skip


class StartPod(NamedTuple):
    """Start the pod of `node`: `template` has every tag replaced; `deadline` is its running time in seconds.

    `started`, only after a restart: it began before, so it may be taken up again but must not be started twice.
    """

    node: str
    # Of the pod
    name: str
    attempt: int
    template: Mapping[str, Any]
    # spec.volumes, tags replaced
    volumes: tuple[Mapping[str, Any], ...] = ()
    deadline: float | None = None
    started: bool = False


class Stop(NamedTuple):
    """End the pod of `node`, after `grace` seconds by force; `reason` is shutdown, daemon, deleted or timeout."""

    node: str
    reason: str
    grace: float = 30.0


class Acquire(NamedTuple):
    """Answer with `LockGranted` once all `locks` are free; after a restart, `held` ones are the node's already."""

    node: str
    locks: tuple[str, ...]
    held: bool = False


class Release(NamedTuple):
    """The node needs its locks no longer; it may still be waiting for them."""

    node: str
    locks: tuple[str, ...]


Action = StartPod | Stop | Acquire | Release
