"""Numbers of runs on a cluster, also where a volume has outlived its user."""

from pathlib import Path
from typing import Any, cast

import pytest

from riseml.cluster.api import Api
from riseml.cluster.api_errors import ConflictError
from riseml.cluster.store import StorePod
from riseml.cluster.user_namespace import UserNamespace
from riseml.engines.argo import archive
from tests.unit.shell_store import Shell


@pytest.mark.parametrize(
    ("folders", "last"),
    [
        ([], 0),
        (["me/mnist/2", "me/mnist/11/3", "me/other/9", "you/mnist/99"], 11),
        (["me/mnist/7.old", "me/mnist/x8", "me/12", "me/mnist/0x9"], 0),
    ],
)
def test_the_last_number_that_has_left_something(
    tmp_path: Path, folders: list[str], last: int
) -> None:
    for folder in folders:
        (tmp_path / folder).mkdir(parents=True)
    assert archive.last_number(cast(StorePod, Shell(tmp_path)), "me") == last


class Counter:
    """The ConfigMap of a namespace."""

    def __init__(self, number: int) -> None:
        self.number, self.version, self.target = number, 1, "{}"

    def get(self, at: str) -> dict[str, Any]:
        return {
            "metadata": {"resourceVersion": str(self.version)},
            "data": {"number": str(self.number), "target": self.target},
        }

    def patch(self, at: str, body: dict[str, Any]) -> dict[str, Any]:
        if body["metadata"]["resourceVersion"] != str(self.version):
            raise ConflictError("somebody was faster")
        self.number, self.version = int(body["data"]["number"]), self.version + 1
        return self.get(at)


def test_numbers_go_on_after_what_is_there() -> None:
    counter = Counter(0)
    place = UserNamespace(cast(Api, counter), "riseml-me")
    assert place.number == 1
    place.begin_after(11)
    assert place.number == 12
    assert place.take(12)
    assert (counter.number, place.number) == (12, 13)
    other = UserNamespace(cast(Api, counter), "riseml-me")
    assert other.number == 13
    assert place.take(13)
    assert not other.take(13)
    assert other.number == 14


def test_jobs_may_be_kept_to_one_node() -> None:
    counter = Counter(0)
    counter.target = '{"node_selector": {"disk": "ssd"}}'
    place = UserNamespace(cast(Api, counter), "riseml-me")
    assert place.target.node_selector == {"disk": "ssd"}
    place.node = "gpu-3"
    assert place.target.node_selector == {
        "disk": "ssd",
        "kubernetes.io/hostname": "gpu-3",
    }
