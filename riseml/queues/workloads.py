"""Workloads of Kueue: where the pods of a run stand in their queue, and why they were stopped.

    pod ──pod-group-name, or owner──▶ Workload ──conditions──▶ Standing

Reading is pure: the objects come from the API server, as plain data.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from math import ceil
from operator import itemgetter
from typing import Any

from riseml.conditions import condition, is_true
from riseml.dataclass import dataclass
from riseml.quantities import amount_of, noun_of, number_text
from riseml.queues import kueue

Object = Mapping[str, Any]
_MISSING = re.compile(
    r"insufficient unused quota for (?P<resource>\S+) in flavor \S+, (?P<amount>\S+) more needed"
)
_NEVER = re.compile(
    r"insufficient quota for (?P<resource>\S+) in flavor .*"
    r"\((?P<amount>[^ ()]+)\) > maximum capacity \((?P<most>[^ ()]+)\)"
)
_NAMES = {"cpu": "cpus", "memory": "mem"}
_MEGABYTE = 1_000_000
# A Workload with one of these conditions waits no longer.
_LATER = ("QuotaReserved", "Finished")


@dataclass(frozen=True)
class Standing:
    """A Workload that waits: its queue, its place among the waiting ones, and what is short.

    `position` counts from 1 up to `waiting`. With `counts_all`, these are all Workloads
    of the ClusterQueue, else the user's own ones of the queue. `shortage` is empty before
    Kueue has tried to admit it.
    """

    queue: str
    position: int
    waiting: int
    shortage: str = ""
    counts_all: bool = False

    @property
    def text(self) -> str:
        """The standing in one line."""
        whose = "in the cluster" if self.counts_all else "of yours"
        place = f"position {self.position} of {self.waiting} {whose}"
        parts = [f"queue {self.queue}, {place}", self.shortage]
        return ": ".join(filter(None, parts))


def is_gated(pod: Object) -> bool:
    """Return whether Kueue holds a pod back."""
    gates = pod["spec"].get("schedulingGates", ())
    return kueue.GATE in map(itemgetter("name"), gates)


def of_pod(pod: Object, workloads: Iterable[Object]) -> Object | None:
    """Return the Workload that a pod is part of, None before Kueue has made it."""
    metadata = pod["metadata"]
    group = metadata.get("labels", {}).get(kueue.GROUP_LABEL)
    is_its_own = partial(_is_owned_by, metadata["name"])
    if group:
        is_its_own = partial(_is_called, group)
    return next(filter(is_its_own, workloads), None)


def _is_called(name: str, workload: Object) -> bool:
    return bool(workload["metadata"]["name"] == name)


def _is_owned_by(pod_name: str, workload: Object) -> bool:
    owners = workload["metadata"].get("ownerReferences", ())
    return pod_name in map(itemgetter("name"), owners)


def text_of(
    pod: Object, workloads: Sequence[Object], positions: Mapping[str, int]
) -> str:
    """Return where a pod stands in its queue, empty if it waits in none."""
    workload = of_pod(pod, workloads)
    if workload is None:
        return _unaccepted(pod["metadata"].get("labels", {}))
    place = standing(workload, workloads, positions)
    return place.text if place else ""


def _unaccepted(labels: Mapping[str, str]) -> str:
    """Return what is known of a pod that has no Workload: Kueue reports why only in its log."""
    text = f"queue {labels.get(kueue.QUEUE_LABEL, '')}: Kueue has not accepted it yet"
    priority = labels.get(kueue.PRIORITY_LABEL)
    if priority:
        text += f"; if that lasts, the cluster lacks the priority {priority}"
    return text


def standing(
    workload: Object, workloads: Sequence[Object], positions: Mapping[str, int]
) -> Standing | None:
    """Return where a Workload stands, None if it has its quota or has ended.

    `positions` has the places of all Workloads in the ClusterQueue by name, where the
    cluster tells them.
    """
    if not _waits(workload):
        return None
    name, queue = workload["metadata"]["name"], workload["spec"].get("queueName", "")
    shortage = _shortage(condition(workload, "QuotaReserved").get("message", ""))
    if name in positions:
        last = max(positions.values())
        return Standing(queue, positions[name], last, shortage, counts_all=True)
    rivals = sorted(filter(partial(_waits_in, queue), workloads), key=_order)
    position = rivals.index(workload) + 1
    return Standing(queue, position, len(rivals), shortage)


def _waits(workload: Object) -> bool:
    return not any(map(partial(is_true, workload), _LATER))


def _waits_in(queue: str, workload: Object) -> bool:
    return workload["spec"].get("queueName", "") == queue and _waits(workload)


def _order(workload: Object) -> tuple[int, str, str]:
    """Return a sort key: higher priorities first, then older Workloads."""
    metadata = workload["metadata"]
    priority = workload["spec"].get("priority") or 0
    return -priority, metadata.get("creationTimestamp", ""), metadata["name"]


def _shortage(message: str) -> str:
    """Return Kueue's message in the words of riseml.yml, or as it is if it is another one."""
    texts = list(_shortages(message))
    return "; ".join(dict.fromkeys(texts)) or " ".join(message.split())


def _shortages(message: str) -> Iterator[str]:
    for match in _NEVER.finditer(message):
        resource = match["resource"]
        requested = _amount(resource, match["amount"])
        yield f"it requests {requested}, but the queue has {_amount(resource, match['most'])} at all"
    for match in _MISSING.finditer(message):
        amount, _, name = _amount(match["resource"], match["amount"]).partition(" ")
        yield f"{amount} more {name} needed"


def _amount(resource: str, text: str) -> str:
    """Return an amount of a resource as in riseml.yml."""
    number = amount_of(text)
    if resource == "memory" and number is not None:
        return f"{ceil(number / _MEGABYTE)} MB"
    if number is not None:
        text = number_text(number)
    return f"{text} {noun_of(resource, _NAMES)}"
