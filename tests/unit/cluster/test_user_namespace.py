"""Numbers of runs on a cluster, also with a volume that is older than its user."""

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
def test_the_last_number_is_read_from_the_output_folders(
    tmp_path: Path, folders: list[str], last: int
) -> None:
    for folder in folders:
        (tmp_path / folder).mkdir(parents=True)
    assert archive.last_number(cast(StorePod, Shell(tmp_path)), "me") == last


class Counter:
    """ConfigMap of a namespace, with optimistic locking."""

    def __init__(self, number: int) -> None:
        self.number, self.version, self.target = number, 1, "{}"

    def get(self, at: str) -> dict[str, Any]:
        return {
            "metadata": {"resourceVersion": str(self.version)},
            "data": {"number": str(self.number), "target": self.target},
        }

    def patch(self, at: str, body: dict[str, Any]) -> dict[str, Any]:
        if body["metadata"]["resourceVersion"] != str(self.version):
            raise ConflictError("another client was faster")
        self.number, self.version = int(body["data"]["number"]), self.version + 1
        return self.get(at)


def test_numbers_continue_after_existing_output() -> None:
    counter = Counter(0)
    namespace = UserNamespace(cast(Api, counter), "riseml-me")
    assert namespace.number == 1
    namespace.begin_after(11)
    assert namespace.number == 12
    assert namespace.take(12)
    assert (counter.number, namespace.number) == (12, 13)
    other = UserNamespace(cast(Api, counter), "riseml-me")
    assert other.number == 13
    assert namespace.take(13)
    assert not other.take(13)
    assert other.number == 14


def test_jobs_can_be_limited_to_one_node() -> None:
    counter = Counter(0)
    counter.target = '{"node_selector": {"disk": "ssd"}}'
    namespace = UserNamespace(cast(Api, counter), "riseml-me")
    assert namespace.target.node_selector == {"disk": "ssd"}
    namespace.node = "gpu-3"
    assert namespace.target.node_selector == {
        "disk": "ssd",
        "kubernetes.io/hostname": "gpu-3",
    }
