"""Numbers of runs that Argo makes from a WorkflowTemplate or a CronWorkflow."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from riseml import labels
from riseml.cluster.api import Api
from riseml.cluster.api_errors import ConflictError
from riseml.cluster.user_namespace import UserNamespace
from riseml.engines.argo import adoption, archive

Document = dict[str, Any]


def _workflow(name: str, created: str, **tags: str) -> Document:
    return {
        "metadata": {
            "name": name,
            "creationTimestamp": created,
            "labels": {labels.PROJECT: "net", labels.USER: "me", **tags},
        }
    }


class Cluster:
    """A namespace with Workflows and the counter of runs."""

    def __init__(self, *workflows: Document) -> None:
        self.workflows = {entry["metadata"]["name"]: entry for entry in workflows}
        self.number, self.conflicts = 14, 0

    def items(self, path: str, **query: Any) -> list[Document]:
        assert query["labelSelector"] == "riseml.io/project,!riseml.io/number"
        # The list may be older than the Workflows.
        return list(self.workflows.values())

    def get(self, path: str) -> Document:
        if path.endswith("/configmaps/riseml"):
            return {
                "metadata": {"resourceVersion": "1"},
                "data": {"number": str(self.number)},
            }
        return self.workflows[path.rpartition("/")[2]]

    def patch(self, path: str, body: Document) -> Document:
        if self.conflicts:
            # Another command has taken the number.
            self.conflicts -= 1
            self.number += 1
            raise ConflictError("it has changed")
        self.number = int(body["data"]["number"])
        return self.get(path)

    def update(self, path: str, change: Callable[[Document], Document]) -> None:
        metadata = self.workflows[path.rpartition("/")[2]]["metadata"]
        changed = change({"metadata": metadata}).get("metadata", {})
        for field, values in changed.items():
            metadata.setdefault(field, {}).update(values)

    def numbers(self) -> dict[str, str]:
        numbers = {}
        for name, workflow in self.workflows.items():
            numbers[name] = workflow["metadata"]["labels"].get(labels.NUMBER, "")
        return numbers


class Volume:
    """An output volume that is a folder of this machine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def script(self, text: str, *arguments: str) -> bytes:
        local = text.replace("/output", str(self.folder))
        return subprocess.check_output(["sh", "-c", local, "sh", *arguments])


def _adopt(cluster: Cluster, volume: Volume) -> None:
    namespace = UserNamespace(cast(Api, cluster), "riseml-paul")
    adoption.adopt(namespace, volume, "paul")


def test_each_run_gets_a_number_of_its_own_the_oldest_first(tmp_path: Path) -> None:
    cluster = Cluster(
        _workflow("net-b", "2026-01-01T00:00:02Z"),
        _workflow("net-a", "2026-01-01T00:00:01Z"),
    )
    _adopt(cluster, Volume(tmp_path))
    assert cluster.numbers() == {"net-a": "15", "net-b": "16"}
    metadata = cluster.workflows["net-a"]["metadata"]
    # The namespace decides whose run it is.
    assert metadata["labels"][labels.USER] == "paul"
    assert metadata["annotations"] == {labels.TITLE: "net 15"}


def test_a_link_with_the_number_leads_to_its_folder(tmp_path: Path) -> None:
    (tmp_path / "me/net/net-a/1").mkdir(parents=True)
    (tmp_path / "me/net/net-a/1/model").write_text("weights")
    _adopt(Cluster(_workflow("net-a", "2026-01-01T00:00:01Z")), Volume(tmp_path))
    assert (tmp_path / "paul/net/15/1/model").read_text() == "weights"


def test_a_number_that_another_command_takes_is_not_used_again(tmp_path: Path) -> None:
    cluster = Cluster(_workflow("net-a", "2026-01-01T00:00:01Z"))
    cluster.conflicts = 2
    _adopt(cluster, Volume(tmp_path))
    assert cluster.numbers() == {"net-a": "17"}


def test_a_run_that_another_command_has_adopted_keeps_its_number(
    tmp_path: Path,
) -> None:
    adopted = _workflow("net-a", "2026-01-01T00:00:01Z", **{labels.NUMBER: "9"})
    cluster = Cluster(adopted)
    _adopt(cluster, Volume(tmp_path))
    assert (cluster.numbers(), cluster.number) == ({"net-a": "9"}, 14)
    assert list(tmp_path.iterdir()) == []


def test_deleting_an_adopted_run_deletes_its_folder(tmp_path: Path) -> None:
    volume = Volume(tmp_path)
    (tmp_path / "me/net/net-a/1").mkdir(parents=True)
    (tmp_path / "me/net/net-b/1").mkdir(parents=True)
    _adopt(Cluster(_workflow("net-a", "2026-01-01T00:00:01Z")), volume)
    volume.script(archive._REMOVE, "paul/net/15")
    assert not (tmp_path / "paul/net/15").is_symlink()
    assert [path.name for path in (tmp_path / "me/net").iterdir()] == ["net-b"]


def test_deleting_a_run_deletes_its_folder_and_no_other(tmp_path: Path) -> None:
    volume = Volume(tmp_path)
    for number in (14, 15):
        (tmp_path / f"paul/net/{number}/1").mkdir(parents=True)
    volume.script(archive._REMOVE, "paul/net/15")
    volume.script(archive._REMOVE, "paul/net/16")
    assert [path.name for path in (tmp_path / "paul/net").iterdir()] == ["14"]
