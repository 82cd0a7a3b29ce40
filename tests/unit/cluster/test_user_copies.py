"""Copies in the namespaces of all users, some of whom are deleted meanwhile."""

from collections.abc import Iterator
from typing import Any

import pytest

from riseml import labels
from riseml.cluster import user_copies
from riseml.errors import NotAllowedError

_SECRET = {"kind": "Secret", "metadata": {"name": "registry"}}


def _namespace(user: str) -> dict[str, Any]:
    return {"metadata": {"name": f"riseml-{user}", "labels": {labels.USER: user}}}


class Cluster:
    """Two users; the namespace of the first one refuses objects."""

    def __init__(self, found: dict[str, Any] | None) -> None:
        self.found, self.applied = found, list[str]()

    def items(self, _path: str, **_query: Any) -> Iterator[dict[str, Any]]:
        yield from map(_namespace, ("ida", "paul"))

    def find(self, _path: str) -> dict[str, Any] | None:
        return self.found

    def apply(self, _body: Any, namespace: str) -> None:
        if namespace == "riseml-ida":
            raise NotAllowedError("the namespace is being terminated")
        self.applied.append(namespace)


@pytest.mark.parametrize(
    "found",
    [None, {"metadata": {"deletionTimestamp": "2026-11-01T00:00:00Z"}}],
    ids=["deleted", "being deleted"],
)
def test_a_user_who_is_deleted_meanwhile_is_left_out(
    found: dict[str, Any] | None,
) -> None:
    cluster: Any = Cluster(found)
    user_copies.distribute(cluster, [_SECRET])
    assert cluster.applied == ["riseml-paul"]


def test_a_refusal_for_another_reason_is_an_error() -> None:
    cluster: Any = Cluster(_namespace("ida"))
    with pytest.raises(NotAllowedError):
        user_copies.distribute(cluster, [_SECRET])
