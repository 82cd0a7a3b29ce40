"""Queues of a cluster: what decides when pods start, beside the scheduler of Kubernetes.

    values `queue: {kueue: …}` ──▶ Target.queue ──find──▶ Queue ──▶ fields of pods, and further objects

There is one file for each kind. A queue starts the jobs of a gang all together or not at
all. Kueue is tried with the real one (tests/cluster/test_kueue.py). Volcano and the
co-scheduling plug-in follow their documentation, and nobody has tried them yet.
"""

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, Protocol, cast

from riseml.dataclass import dataclass, field

Settings = Mapping[str, str]
"""What the values of an installation say about a queue; keys as in argo/values.yml."""

KINDS = {"kueue": "kueue", "volcano": "volcano", "coscheduling": "scheduler_plugin"}
"""The modules of this package, by the keys of `queue` in the values."""


@dataclass(frozen=True)
class Request:
    """What a job asks of a queue.

    `queue` and `priority` are those of riseml.yml, empty for none. `group` is the name of
    its gang in this attempt, which has `members` jobs; it is empty without a gang. Texts
    may contain Argo's tags.
    """

    queue: str = ""
    priority: str = ""
    group: str = ""
    members: int = 1

    def queue_in(self, settings: Settings) -> str:
        """Return the queue of riseml.yml, or else that of the installation; empty for none."""
        return self.queue or settings.get("queue", "")


@dataclass(frozen=True)
class PodFields:
    """What a queue adds to a pod; empty texts change nothing."""

    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    scheduler: str = ""
    priority_class: str = ""


NO_FIELDS = PodFields()


class Queue(Protocol):
    """One kind of queue: a module of this package with these functions."""

    REPEATS_GROUPS: bool
    """Whether all attempts of a gang have the same group."""

    def is_used(self, settings: Settings, request: Request) -> bool:
        """Return whether this queue decides about a job, which may name no queue."""

    def pod(self, settings: Settings, request: Request) -> PodFields:
        """Return what the queue has to know of a job that it decides about."""

    def group(self, settings: Settings, request: Request) -> Mapping[str, Any] | None:
        """Return the object that has to exist for a gang, without its namespace; None for none."""

    def rights(self) -> Sequence[Mapping[str, Any]]:
        """Return the rules that users need in their namespaces."""

    def user_objects(self, settings: Settings) -> Sequence[Mapping[str, Any]]:
        """Return the objects that each user's namespace needs."""


def find(queue: Mapping[str, Settings]) -> tuple[Queue, Settings]:
    """Return the kind of a cluster's queue and its settings; without one, `no_queue` and none."""
    kinds = dict(queue)
    kind, settings = kinds.popitem() if kinds else ("", {})
    module = import_module(f"riseml.queues.{KINDS.get(kind, 'no_queue')}")
    return cast("Queue", module), settings


def is_used(queue: Mapping[str, Settings], request: Request) -> bool:
    """Return whether a cluster's queue decides when a job starts."""
    kind, settings = find(queue)
    return kind.is_used(settings, request)


def rights(queue: Mapping[str, Settings]) -> Sequence[Mapping[str, Any]]:
    """Return the rules that users of a cluster need in its queue."""
    kind, _ = find(queue)
    return kind.rights()


def user_objects(queue: Mapping[str, Settings]) -> Sequence[Mapping[str, Any]]:
    """Return the objects of its queue that each user's namespace needs."""
    kind, settings = find(queue)
    return kind.user_objects(settings)


def note(queue: str) -> str:
    """Return what a document lacks that was compiled without a cluster's values; "" if nothing."""
    if not queue:
        return ""
    return f"queue: without a cluster's values, the document does not name the queue {queue}; labels of pods must"


def repeats_groups(queue: Mapping[str, Settings]) -> bool:
    """Return whether all attempts of a gang have the same group."""
    kind, _ = find(queue)
    return kind.REPEATS_GROUPS


def pod(queue: Mapping[str, Settings], request: Request) -> PodFields:
    """Return what has to be added to the pod of a job."""
    kind, settings = find(queue)
    if not kind.is_used(settings, request):
        kind, settings = find({})
    return kind.pod(settings, request)
