"""Events that the interpreter receives, and actions that it returns.

    shell ── event ──▶ WorkflowRun.apply ── actions ──▶ shell

The shell answers every `StartPod` with exactly one `PodEnded`, even if the pod was
stopped before it started.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

GRACE_SECONDS: Final = 30.0
"""Time between SIGTERM and SIGKILL unless a pod says otherwise, as on Kubernetes."""

DEADLINE: Final = "Pod was active on the node longer than the specified deadline"
"""The message of a pod that was Failed because of its `StartPod.deadline`."""


class PodPending(NamedTuple):
    """The pod is pending for `message`: `waiting: …`, `PodInitializing` or ""."""

    node: str
    message: str = ""


class PodStarted(NamedTuple):
    """The main container has been running since `at` (None: now); a daemon is ready."""

    node: str
    at: float | None = None


class PodReturned(NamedTuple):
    """The pod had no chance to run anything, and is pending again."""

    node: str


class PodProgressed(NamedTuple):
    """The job has written `n/m` to its progress file."""

    node: str
    progress: str


class PodEnded(NamedTuple):
    """All processes of the pod are gone.

    Attributes:
        exit_code: The exit code of `container`, None if it is not known.
        container: The container that decided how the pod ended.
        reason: The reason in the words of a container runtime: Error or OOMKilled.
        message: Replaces the usual `<container>: <reason> (exit code <n>)`.
        outputs: The output parameters whose files exist.
        phase: Replaces the usual Succeeded or Failed; Error is a fault of the platform.
        at: When the pod ended (None: now); the shell may find out late.
    """

    node: str
    exit_code: int | None
    container: str = "main"
    reason: str = "Error"
    message: str = ""
    outputs: Mapping[str, str] = MappingProxyType({})
    phase: str | None = None
    at: float | None = None


class LockGranted(NamedTuple):
    """The node holds all locks that it requested."""

    node: str


class Annotated(NamedTuple):
    """An annotation of the Workflow has a new value."""

    key: str
    value: str


class Shutdown(NamedTuple):
    """`spec.shutdown` was set: to `Terminate` or `Stop`, which mean the same here."""

    strategy: str


class DeletePods(NamedTuple):
    """Pods are deleted; `selector` is `key=value` terms joined by commas."""

    selector: str


class Tick(NamedTuple):
    """The time that `WorkflowRun.next_tick` returned has come."""


PodEvent = PodPending | PodStarted | PodReturned | PodProgressed | PodEnded
Event = PodEvent | LockGranted | Annotated | Shutdown | DeletePods | Tick


class StartPod(NamedTuple):
    """Start the pod of a node.

    Attributes:
        name: The name of the pod.
        template: The template with every tag replaced.
        volumes: The volumes of the Workflow, then those of the template, with every
            tag replaced.
        deadline: How many seconds the pod may run.
        started: Set only after a restart: its container had started, so the shell may
            adopt the pod but must not start it a second time.
    """

    node: str
    name: str
    attempt: int
    template: Mapping[str, Any]
    volumes: tuple[Mapping[str, Any], ...] = ()
    deadline: float | None = None
    started: bool = False


class Stop(NamedTuple):
    """Stop the pod of a node, by force after `grace` seconds.

    `reason` is shutdown, daemon, deleted or timeout.
    """

    node: str
    reason: str
    grace: float = GRACE_SECONDS


class Acquire(NamedTuple):
    """Answer with `LockGranted` once all `locks` are free.

    `held` is set only after a restart: the node holds the locks already.
    """

    node: str
    locks: tuple[str, ...]
    held: bool = False


class Release(NamedTuple):
    """The node no longer needs its locks; it may still be waiting for them."""

    node: str
    locks: tuple[str, ...]


Action = StartPod | Stop | Acquire | Release
