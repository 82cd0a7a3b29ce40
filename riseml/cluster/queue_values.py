"""`queue` in an installation's values: what decides when jobs start."""

from collections.abc import Iterator, Mapping
from typing import Any

from riseml import queues

_KEYS = {
    "kueue": ("queue", "clusterQueue"),
    "volcano": ("queue", "scheduler"),
    "coscheduling": ("scheduler",),
}
Section = Mapping[str, Mapping[str, Any] | None]


def queue(section: Section) -> dict[str, dict[str, Any]]:
    """Return the field of `Target`: the settings of the queue by its kind, empty without one."""
    kinds = {}
    for kind, settings in section.items():
        if settings is not None:
            kinds[kind] = dict(settings)
    return kinds


def rights(target: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the rules that users need in the queue of a target, none without one."""
    return list(map(dict, queues.rights(target.get("queue", {}))))


def user_objects(target: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the objects that each user's namespace needs for the queue of a target."""
    return list(map(dict, queues.user_objects(target.get("queue", {}))))


def faults(section: Section) -> Iterator[str]:
    """Yield what is wrong with `queue`."""
    kinds = queue(section)
    names = ", ".join(kinds)
    if len(kinds) > 1:
        yield f"'queue' must have one of {names}, since each starts pods in its own way"
    for kind, settings in kinds.items():
        unknown = settings.keys() - set(_KEYS[kind])
        keys = ", ".join(_KEYS[kind])
        for key in unknown:
            yield f"there is no key 'queue.{kind}.{key}'; it has {keys}"
    for kind, settings in kinds.items():
        yield from _type_faults(kind, settings)
    yield from _kueue_faults(kinds.get("kueue", {}))


def _type_faults(kind: str, settings: Mapping[str, Any]) -> Iterator[str]:
    for key, value in settings.items():
        if not isinstance(value, str):
            yield f"'queue.{kind}.{key}' must be text, not {value!r}"


def _kueue_faults(settings: Mapping[str, str]) -> Iterator[str]:
    name = settings.get("queue", "")
    if name == "default":
        yield (
            "'queue.kueue.queue' must not be 'default': Kueue then queues all pods of the namespace, the store,"
            " builds and TensorBoard as well"
        )
    if "clusterQueue" in settings and not name:
        yield "'queue.kueue.clusterQueue' needs `queue`, the name of the LocalQueue in each user's namespace"
