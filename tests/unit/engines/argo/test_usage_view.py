"""What jobs on a cluster use, with an API server and pods of the test's own."""

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from riseml import labels
from riseml.engines.argo import usage_view
from riseml.engines.argo.usage_view import ArgoUsageView
from riseml.errors import NotFoundError, UnreachableError
from riseml.ids import Id
from riseml.readings import JobUsage

NET = "== net\na\nb\n eth0: {} 0 0 0 0 0 0 0 0 0\n"


class Cluster:
    """API server with a set 14 of two experiments, a TensorBoard and a run 15."""

    def __init__(self) -> None:
        self.metrics: list[dict[str, Any]] | None = None
        self.asked_for_metrics = 0
        self.seconds = 0.0
        self.workflows = {"w-14": ("14", "set"), "w-15": ("15", "experiment")}
        self.pods = [
            pod("w-14-1", "w-14", "1", "train", started="2026-01-01T00:00:01Z"),
            pod("w-14-2", "w-14", "2", "worker", "3", started="2026-01-01T00:00:02Z"),
            pod("w-14-t", "w-14", "", "tensorboard"),
            pod("w-15-1", "w-15", "1", "train", started="2026-01-01T00:00:03Z"),
            pod("w-15-b", "w-15", "", "build", state="waiting"),
        ]

    def items(self, url: str, **query: Any) -> Iterator[dict[str, Any]]:
        if "metrics" in url:
            self.asked_for_metrics += 1
            if self.metrics is None:
                raise NotFoundError("there is no such API")
            yield from self.metrics
        else:
            selector = query["labelSelector"]
            for item in self.pods:
                if item["metadata"]["labels"][labels.WORKFLOW] in selector:
                    yield item

    # As Workflows

    @property
    def api(self) -> "Cluster":
        return self

    def namespace_of(self, run: Id) -> str:
        return f"riseml-{run.user or 'me'}"

    def metadata(self, namespace: str, selector: str) -> list[dict[str, Any]]:
        assert namespace == "riseml-me"
        listed = []
        for name, (number, kind) in self.workflows.items():
            tags = {
                labels.NUMBER: number,
                labels.KIND: kind,
                labels.PROJECT: "digits",
            }
            if f"{labels.NUMBER}=" not in selector or selector.endswith(f"={number}"):
                listed.append({"metadata": {"name": name, "labels": tags}})
        return listed


def pod(
    name: str,
    workflow: str,
    experiment: str,
    kind: str,
    index: str = "",
    *,
    state: str = "running",
    started: str = "2026-01-01T00:00:00Z",
) -> dict[str, Any]:
    tags = {
        labels.WORKFLOW: workflow,
        labels.EXPERIMENT: experiment,
        labels.TYPE: kind,
        labels.INDEX: index,
    }
    resources = {"requests": {"cpu": "500m", "memory": "128M"}}
    return {
        "metadata": {"name": name, "labels": tags},
        "spec": {"containers": [{"name": "main", "resources": resources}]},
        "status": {
            "containerStatuses": [
                {"name": "main", "state": {state: {"startedAt": started}}}
            ]
        },
    }


class Shell:
    """Shell in a pod, which uses half a core."""

    broken: ClassVar[set[str]] = set()
    opened: ClassVar[list[str]] = []
    closed: ClassVar[list[str]] = []
    cluster: Cluster

    def __init__(self, api: Cluster, namespace: str, name: str, container: str) -> None:
        assert (namespace, container) == ("riseml-me", "main")
        self.name = name
        Shell.cluster = api
        self.opened.append(name)

    def script(self, _text: str) -> bytes:
        if self.name in self.broken:
            raise UnreachableError("there is no sh")
        now = Shell.cluster.seconds
        text = (
            f"== cpu.stat\nusage_usec {int(now * 500_000)}\n== memory.current\n1000\n"
        )
        return (text + NET.format(int(now * 30))).encode()

    def close(self) -> None:
        self.closed.append(self.name)


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    monkeypatch.setattr(usage_view, "ContainerShell", Shell)
    monkeypatch.setattr(Shell, "broken", set())
    monkeypatch.setattr(Shell, "opened", [])
    monkeypatch.setattr(Shell, "closed", [])
    return Cluster()


@pytest.fixture
def open_view(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., ArgoUsageView]]:
    views: list[ArgoUsageView] = []

    def wait(seconds: float) -> None:
        cluster.seconds += seconds

    # Threads of other tests may sleep as well.
    monkeypatch.setattr(usage_view, "time", SimpleNamespace(sleep=wait))

    def make(**selected: Any) -> ArgoUsageView:
        workflows: Any = cluster
        views.append(ArgoUsageView(workflows, Id(**selected), lambda: cluster.seconds))
        return views[-1]

    yield make
    for view in views:
        view.close()


OpenView = Callable[..., ArgoUsageView]


def ids(usages: list[JobUsage]) -> list[str]:
    return [usage.id for usage in usages]


def test_jobs_that_run_are_measured_in_their_pods(open_view: OpenView) -> None:
    usages = open_view().read()
    assert ids(usages) == ["14.1.train", "14.2.worker.3", "15.train"]
    for usage in usages:
        assert (usage.cpu, usage.mem, usage.net_received) == (0.5, 1000, 30)
        assert usage.requested is not None
        assert float(usage.requested.cpus) == 0.5
        assert usage.requested.mem == 128_000_000
        assert (usage.project, usage.note) == ("digits", "")


def test_an_id_selects_jobs(open_view: OpenView) -> None:
    assert ids(open_view(number=14).read()) == ["14.1.train", "14.2.worker.3"]
    assert ids(open_view(number=14, sub=2).read()) == ["14.2.worker.3"]
    worker = open_view(number=14, sub=2, type="worker", index=3)
    assert ids(worker.read()) == ["14.2.worker.3"]
    board = open_view(number=14, type="tensorboard")
    assert ids(board.read()) == ["14.tensorboard"]
    assert open_view(number=15, type="worker").read() == []


def test_pods_are_listed_every_five_seconds(
    cluster: Cluster, open_view: OpenView
) -> None:
    view = open_view(number=14)
    view.read()
    del cluster.pods[0]
    cluster.seconds = 4.9
    assert len(view.read()) == 2
    cluster.seconds = 5.0
    assert ids(view.read()) == ["14.2.worker.3"]
    # Each pod has one shell, until it has ended.
    assert (Shell.opened, Shell.closed) == (["w-14-1", "w-14-2"], ["w-14-1"])


def test_the_metrics_api_stands_in_for_a_pod_without_a_shell(
    cluster: Cluster, open_view: OpenView
) -> None:
    Shell.broken.add("w-15-1")
    used = {"cpu": "250000000n", "memory": "2Ki"}
    containers = [{"name": "wait", "usage": {}}, {"name": "main", "usage": used}]
    cluster.metrics = [{"metadata": {"name": "w-15-1"}, "containers": containers}]
    (usage,) = open_view(number=15).read()
    assert (usage.cpu, usage.mem, usage.note) == (0.25, 2048, "")


def test_a_cluster_without_metrics_is_asked_once(
    cluster: Cluster, open_view: OpenView
) -> None:
    Shell.broken.add("w-15-1")
    view = open_view(number=15)
    view.read()
    (usage,) = view.read()
    assert usage.note == "its container cannot be read: there is no sh"
    assert (usage.cpu, usage.mem, cluster.asked_for_metrics) == (None, None, 1)


def test_no_more_shells_are_open_than_a_person_looks_at(
    open_view: OpenView, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usage_view, "_MAX_SHELLS", 2)
    usages = open_view().read()
    assert [usage.mem for usage in usages] == [1000, 1000, None]
    assert "the 50 jobs that started first" in usages[2].note
    assert Shell.opened == ["w-14-1", "w-14-2"]


@pytest.mark.parametrize(
    ("text", "cores"), [("2", 2.0), ("1500m", 1.5), ("3u", 3e-6), ("1n", 1e-9)]
)
def test_cores_of_the_metrics_api(text: str, cores: float) -> None:
    assert usage_view._cores(text) == cores
