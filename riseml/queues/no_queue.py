"""A cluster without a queue: pods start when Kubernetes has room for them."""

from collections.abc import Mapping, Sequence
from typing import Any

from riseml.queues import PodFields, Request, Settings

REPEATS_GROUPS = False


def is_used(settings: Settings, request: Request) -> bool:
    """Return False: nothing but the scheduler of Kubernetes decides."""
    del settings, request
    return False


def pod(settings: Settings, request: Request) -> PodFields:
    """Return the priority, which is one of Kubernetes."""
    del settings
    return PodFields(priority_class=request.priority)


def group(settings: Settings, request: Request) -> Mapping[str, Any] | None:
    """Return None: a gang without a queue needs no object."""
    del settings, request
    return None


def rights() -> Sequence[Mapping[str, Any]]:
    """Return nothing."""
    return []


def user_objects(settings: Settings) -> Sequence[Mapping[str, Any]]:
    """Return nothing."""
    del settings
    return []
