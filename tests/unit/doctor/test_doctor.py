"""Checks of a machine and of a cluster: what they find, and that none ends another."""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from riseml.cluster import namespace_objects
from riseml.cluster.api import Api, path_of
from riseml.cluster.connection import Connection
from riseml.cluster.store import StorePod
from riseml.doctor import FAILED, OK, SKIPPED, WARNING, Finding, cluster, machine, run
from riseml.doctor.check_context import CheckContext
from riseml.doctor.findings import Check, Outcome, failed, ok
from riseml.engines.local import engine_checks
from riseml.errors import NotAllowedError, NotFoundError, RiseMLError, UnreachableError
from riseml.settings import Settings, load

NOW = datetime(2026, 1, 1, tzinfo=UTC)
READY = {"conditions": [{"type": "Ready", "status": "True"}]}


class Cluster:
    """API server; `objects` maps paths to objects, or to the errors that reading raises."""

    def __init__(self) -> None:
        self.connection = Connection(
            "https://k8s", token="t", namespace="riseml-paul", user="paul"
        )
        self.denied = set[str]()
        self.date = format_datetime(datetime.now(UTC))
        namespace, system = (
            "/api/v1/namespaces/riseml-paul",
            "/apis/apps/v1/namespaces/riseml",
        )
        running = {"metadata": {"name": "mnist-14", "creationTimestamp": "2025-12-31T23:00:00Z",
                                "labels": {"workflows.argoproj.io/phase": "Running"}}}  # fmt: skip
        claims = [
            {"metadata": {"name": f"riseml-{name}"}, "status": {"phase": "Bound"}}
            for name in ("data", "output", "store")
        ]
        node = {
            "metadata": {"name": "n"},
            "spec": {},
            "status": {**READY, "allocatable": {"nvidia.com/gpu": "2"}},
        }
        self.objects: dict[str, Any] = {
            "/version": {"gitVersion": "v1.33.0"},
            "/api/v1/namespaces/riseml": {},
            "/api/v1/namespaces/kube-system": {"metadata": {"uid": "u"}},
            namespace: {
                "metadata": {
                    "labels": {"pod-security.kubernetes.io/enforce": "baseline"}
                }
            },
            f"{namespace}/configmaps/riseml": {
                "data": {"user": "paul", "number": "14", "target": "{}"}
            },
            f"{namespace}/services/riseml": {
                "spec": {"clusterIP": "None", "publishNotReadyAddresses": True}
            },
            f"{namespace}/secrets/riseml-secrets": {"data": {"TOKEN": "x"}},
            f"{namespace}/pods": [{"metadata": {"name": "store"}, "status": READY}],
            f"{namespace}/persistentvolumeclaims": claims,
            f"{namespace}/resourcequotas": [
                {
                    "status": {
                        "hard": {"requests.cpu": "8"},
                        "used": {"requests.cpu": "500m"},
                    }
                }
            ],
            "/apis/argoproj.io/v1alpha1/namespaces/riseml-paul/workflows": [running],
            f"{system}/deployments": [
                {"metadata": {"name": "buildkitd"}, "status": {"availableReplicas": 1}}
            ],
            "/apis/apps/v1/deployments": [
                _controller("quay.io/argoproj/workflow-controller:v4.1.2")
            ],
            "/api/v1/nodes": [node],
        }
        for body in namespace_objects.read(namespace_objects.POLICY):
            if body["kind"] == "ValidatingAdmissionPolicy":
                self.objects[path_of(body)] = body

    def change(self, at: str, value: Any) -> None:
        """Replace an object, or delete it with None."""
        if value is None:
            del self.objects[at]
        else:
            self.objects[at] = value

    def get(self, at: str, **query: Any) -> Any:
        value = self.objects.get(at, NotFoundError(f"{at} does not exist"))
        if isinstance(value, RiseMLError):
            raise value
        return value

    def find(self, at: str, **query: Any) -> Any:
        try:
            return self.get(at)
        except NotFoundError:
            return None

    def items(self, at: str, **query: Any) -> Iterator[Any]:
        yield from self.get(at)

    def may(self, verb: str, resource: str, namespace: str, **attributes: str) -> bool:
        return f"{verb} {resource}" not in self.denied

    def create(self, at: str, body: Any) -> Any:
        if at in self.objects:
            return self.get(at)
        return {
            "status": {
                "userInfo": {"username": "paul"},
                "allowed": "executor" not in self.denied,
            }
        }

    def open(self, at: str) -> Any:
        return SimpleNamespace(headers={"Date": self.date}, close=lambda: None)


def _controller(image: str) -> Any:
    return {"spec": {"template": {"spec": {"containers": [{"image": image}]}}}}


@pytest.fixture
def healthy(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """A cluster without problems, and a store that answers."""

    def script(self: StorePod, text: str, *arguments: str) -> bytes:
        if text.startswith("git"):
            return b"git version 2.39.5\n"
        if text.startswith("df"):
            return b"Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/x 10 4 6 40% /data\n"
        if "upload-pack" in text:
            return b"0\n0\n"
        return b"HTTP/1.1 200 OK\r\n"

    monkeypatch.setattr(StorePod, "script", script)
    return Cluster()


def findings(api: Cluster) -> dict[str, Finding]:
    context = CheckContext(cast(Api, api), "riseml-paul", "paul", NOW)
    return {finding.title: finding for finding in run(cluster.all_checks(context))}


def test_a_healthy_cluster_has_no_findings(healthy: Cluster) -> None:
    by_title = findings(healthy)
    assert {
        title: finding.result
        for title, finding in by_title.items()
        if finding.result != OK
    } == {"The Argo Server": SKIPPED}
    assert len(by_title) >= 20
    assert not any(finding.fix for finding in by_title.values())


OWN = "/api/v1/namespaces/riseml-paul"
WORKFLOWS = "/apis/argoproj.io/v1alpha1/namespaces/riseml-paul/workflows"
LATE = {
    "metadata": {
        "name": "mnist-15",
        "creationTimestamp": "2025-12-31T23:59:00Z",
        "labels": {},
    }
}
FULL = [
    {
        "status": {
            "hard": {"requests.cpu": "8", "requests.memory": "1Gi"},
            "used": {"requests.cpu": "8", "requests.memory": "1"},
        }
    }
]
PENDING = [
    {
        "metadata": {"name": "store"},
        "status": {
            "phase": "Pending",
            "conditions": [
                {"type": "PodScheduled", "status": "False", "message": "no node"}
            ],
        },
    }
]
PULLING = [{"metadata": {"name": "store"}, "status": {"containerStatuses": [
    {"state": {"waiting": {"reason": "ImagePullBackOff", "message": "not found"}}}]}}]  # fmt: skip
UNBOUND = [
    {"metadata": {"name": f"riseml-{name}"}, "status": {"phase": "Pending"}}
    for name in ("data", "output", "store")
]
CLOSED = [{"metadata": {"name": "n"}, "spec": {"unschedulable": True}, "status": READY}]
POLICY = (
    "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/riseml-user-pods"
)
DEPLOYMENTS = "/apis/apps/v1/namespaces/riseml/deployments"


@pytest.mark.parametrize(
    ("path", "value", "title", "result", "words"),
    [
        (
            f"{OWN}/configmaps/riseml",
            None,
            "The namespace belongs to a user",
            FAILED,
            "has no ConfigMap riseml",
        ),
        (
            f"{OWN}/configmaps/riseml",
            {"data": {"target": "{"}},
            "The namespace belongs to a user",
            FAILED,
            "is not valid JSON",
        ),
        (WORKFLOWS, None, "Argo's custom resources", FAILED, "does not know Workflows"),
        (
            WORKFLOWS,
            [LATE],
            "Argo's controller watches the namespace",
            FAILED,
            "mnist-15 has waited 60 seconds for the controller",
        ),
        (
            WORKFLOWS,
            [],
            "Argo's controller watches the namespace",
            SKIPPED,
            "there is no run yet",
        ),
        (f"{OWN}/pods", [], "The store's pod", FAILED, "there is none"),
        (f"{OWN}/pods", PENDING, "The store's pod", FAILED, "no node"),
        (
            f"{OWN}/pods",
            PULLING,
            "The store's pod",
            FAILED,
            "ImagePullBackOff: not found",
        ),
        (
            f"{OWN}/persistentvolumeclaims",
            [],
            "The claims for data, output and code",
            FAILED,
            "there is no riseml-data",
        ),
        (
            f"{OWN}/persistentvolumeclaims",
            UNBOUND,
            "The claims for data, output and code",
            FAILED,
            "riseml-store is Pending",
        ),
        (
            f"{OWN}/services/riseml",
            None,
            "The Service that gives jobs their host names",
            FAILED,
            "there is no Service",
        ),
        (
            f"{OWN}/services/riseml",
            {"spec": {}},
            "The Service that gives jobs their host names",
            FAILED,
            "not headless",
        ),
        (
            f"{OWN}/secrets/riseml-secrets",
            None,
            "The Secret that `riseml secret` writes",
            FAILED,
            "there is no Secret",
        ),
        (
            f"{OWN}/resourcequotas",
            FULL,
            "Room in the quota",
            WARNING,
            "used up: requests.cpu 8 of 8",
        ),
        (f"{OWN}/resourcequotas", [], "Room in the quota", OK, "there is none"),
        (
            "/api/v1/namespaces/riseml",
            None,
            "The Deployments of RiseML",
            FAILED,
            "no namespace riseml",
        ),
        (
            DEPLOYMENTS,
            [{"metadata": {"name": "buildkitd"}}],
            "The Deployments of RiseML",
            FAILED,
            "not ready: buildkitd",
        ),
        (
            POLICY,
            None,
            "The policies for users' pods and Workflows",
            FAILED,
            "missing: riseml-user-pods",
        ),
        (
            POLICY,
            {"spec": {}},
            "The policies for users' pods and Workflows",
            WARNING,
            "different from those of this version: riseml-user-",
        ),
        (
            OWN,
            {"metadata": {}},
            "Pod Security of the namespace",
            FAILED,
            "the enforced level is none",
        ),
        ("/api/v1/nodes", CLOSED, "Nodes and their GPUs", FAILED, "no node is ready"),
        (
            "/apis/apps/v1/deployments",
            [_controller("x/workflow-controller:v3.6.1")],
            "The version of Argo",
            WARNING,
            "Argo 3.6.1",
        ),
        (
            "/apis/apps/v1/deployments",
            [],
            "The version of Argo",
            SKIPPED,
            "no Deployment",
        ),
    ],
)
def test_problems_of_a_cluster_are_found(  # noqa: PLR0917
    healthy: Cluster, path: str, value: Any, title: str, result: str, words: str
) -> None:
    healthy.change(path, value)
    finding = findings(healthy)[title]
    assert (finding.result, words in finding.detail) == (result, True), finding
    assert bool(finding.fix) == (result in {FAILED, WARNING})


@pytest.mark.parametrize(
    ("path", "titles"),
    [
        ("/api/v1/namespaces/riseml", ["The Deployments of RiseML"]),
        (POLICY, ["The policies for users' pods and Workflows"]),
        ("/api/v1/nodes", ["Nodes and their GPUs"]),
        (OWN, ["Pod Security of the namespace"]),
        (
            "/apis/authorization.k8s.io/v1/subjectaccessreviews",
            ["The rights of Argo's executor"],
        ),
        ("/api/v1/namespaces/kube-system", ["The version of Argo"]),
    ],
)
def test_checks_for_administrators_are_skipped_for_users(
    healthy: Cluster, path: str, titles: list[str]
) -> None:
    healthy.objects[path] = NotAllowedError("not allowed")
    by_title = findings(healthy)
    assert [
        title
        for title, finding in by_title.items()
        if finding.result == SKIPPED and "administrators" in finding.detail
    ] == titles
    assert FAILED not in {finding.result for finding in by_title.values()}


def test_missing_rights_are_named(healthy: Cluster) -> None:
    healthy.denied = {"create pods", "executor"}
    by_title = findings(healthy)
    rights = by_title["Your rights in the namespace"]
    assert rights.detail == "not allowed: create pods/exec"
    assert by_title["The rights of Argo's executor"].result == FAILED


def test_a_wrong_clock_is_found(healthy: Cluster) -> None:
    healthy.date = "Thu, 01 Jan 2026 00:00:00 GMT"
    finding = findings(healthy)["This machine's clock"]
    assert finding.result == WARNING
    assert "certificates and logins are checked by it" in finding.fix


@pytest.mark.parametrize(
    ("output", "result"),
    [
        (b"HTTP/1.1 401 Unauthorized", OK),
        (b"cannot", SKIPPED),
        (b"", WARNING),
        (b"HTTP/2 503", WARNING),
    ],
)
def test_the_registry_answers_the_store(
    healthy: Cluster, monkeypatch: pytest.MonkeyPatch, output: bytes, result: str
) -> None:
    monkeypatch.setattr(StorePod, "script", lambda self, text, *arguments: output)
    assert findings(healthy)["The registry for built images"].result == result


def test_checks_after_a_failed_gate_are_skipped(healthy: Cluster) -> None:
    healthy.objects["/version"] = UnreachableError(
        "the cluster at https://k8s does not answer", "Is the network up?"
    )
    first, *others = findings(healthy).values()
    assert (first.result, first.fix) == (FAILED, "Is the network up?")
    assert {finding.result for finding in others} == {SKIPPED}
    assert "does not answer" in others[-1].detail


def test_one_check_never_ends_another() -> None:
    def broken() -> Outcome:
        raise KeyError("surprise")

    def refused() -> Outcome:
        raise RiseMLError("it is missing", "Create it.")

    results = list(
        run(
            [
                Check("a", broken),
                Check("b", refused),
                Check("c", lambda: ok("well")),
                Check("d", lambda: failed("x", "y")),
            ]
        )
    )
    assert [finding.result for finding in results] == [FAILED, FAILED, OK, FAILED]
    assert "KeyError('surprise')" in results[0].detail
    assert (results[1].detail, results[1].fix) == ("it is missing", "Create it.")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("RISEML_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return load()


def machine_findings(settings: Settings) -> dict[str, Finding]:
    checks = [*machine.general(settings, "this machine"), *engine_checks(settings)]
    return {finding.title: finding for finding in run(checks)}


def test_a_healthy_machine_has_no_failures(home: Settings) -> None:
    by_title = machine_findings(home)
    assert FAILED not in {finding.result for finding in by_title.values()}
    assert by_title["riseml.yml of the current folder"].result == SKIPPED
    assert by_title["The local controller"].detail.startswith("it is not running")
    limits = by_title["Whether jobs may use more than they request"]
    assert limits.detail.startswith("they may; ")
    assert len(by_title) == 15
    assert not home.home.exists()


Harm = Callable[[pytest.MonkeyPatch], None]


def _no_git(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")


def _old_git(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("git").write_text("#!/bin/sh\necho git version 2.7.4\n", "utf-8")
    Path("git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{Path.cwd()}:{os.environ['PATH']}")


def _faults(_: pytest.MonkeyPatch) -> None:
    Path("riseml.yml").write_text(
        "project: mnist\ntrain: {run: [], imge: x}\n", "utf-8"
    )


def _full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=5 << 20))


def _full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=4096))


def _without_inodes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("riseml.disk.free_bytes", lambda _: 0)


def _unmounted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RISEML_MOUNTS", "off")


def _client_of_2018(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("riseml").mkdir()
    Path("riseml-0.3.9-py3.11.egg-info").mkdir()
    monkeypatch.setattr("riseml.__file__", str(Path("riseml/__init__.py").absolute()))


@pytest.mark.parametrize(
    ("harm", "title", "expected"),
    [
        (_client_of_2018, "RiseML", (FAILED, "the client of 2018 (riseml 0.3.9) is")),
        (_no_git, "git, which stores the code of runs", (FAILED, "no git")),
        (_old_git, "git, which stores the code of runs", (FAILED, "git version 2.7.4")),
        (_faults, "riseml.yml of the current folder", (FAILED, "faults, the first")),
        (_full, "Free space on the home's disk", (WARNING, "5 MB are free")),
        (
            _full_disk,
            "Free space on the home's disk",
            (FAILED, "0 MB are free: the disk of /"),
        ),
        (
            _without_inodes,
            "Free space on the home's disk",
            (FAILED, "are free: the disk of /"),
        ),
        (
            _unmounted,
            "/code, /data and /output in jobs",
            (WARNING, "RISEML_MOUNTS=off"),
        ),
    ],
)
def test_problems_of_this_machine_are_found(
    home: Settings,
    monkeypatch: pytest.MonkeyPatch,
    harm: Harm,
    title: str,
    expected: tuple[str, str],
) -> None:
    harm(monkeypatch)
    finding = machine_findings(home)[title]
    result, words = expected
    assert (finding.result, words in finding.detail) == (result, True), finding
    assert finding.fix


def test_limits_of_jobs_need_control_groups(
    home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RISEML_CGROUPS", "off")
    enforcing = replace(home, resources_enforce=True)
    finding = machine_findings(enforcing)["Whether jobs may use more than they request"]
    assert finding.result == WARNING
    assert "no control groups. So `mem` limits what each process" in finding.detail
    assert "systemd-run --user --scope" in finding.fix


def test_shares_of_gpus_that_no_node_has_are_found(healthy: Cluster) -> None:
    settings = healthy.objects[f"{OWN}/configmaps/riseml"]
    fractions = {"any": {"nvidia.com/gpu": "1", "nvidia.com/gpucores": "{percent}"}}
    settings["data"]["target"] = json.dumps({"gpu_fractions": fractions})
    finding = findings(healthy)["Nodes and their GPUs"]
    assert (finding.result, finding.detail) == (
        WARNING,
        (
            "1 of 1 ready, 2 of nvidia.com/gpu; no node has nvidia.com/gpucores, which"
            " `gpu.fractions` of the values names"
        ),
    )
    (node,) = healthy.objects["/api/v1/nodes"]
    node["status"]["allocatable"]["nvidia.com/gpucores"] = "100"
    assert findings(healthy)["Nodes and their GPUs"].result == OK


def test_labels_that_no_node_has_are_found(healthy: Cluster) -> None:
    settings = healthy.objects[f"{OWN}/configmaps/riseml"]
    settings["data"]["target"] = json.dumps({"node_selector": {"pool": "gpu"}})
    finding = findings(healthy)["Nodes and their GPUs"]
    assert (finding.result, finding.detail) == (
        FAILED,
        (
            "1 of 1 ready, 2 of nvidia.com/gpu; no ready node has pool=gpu, which"
            " `nodeSelectors.training` of the values names"
        ),
    )
    (node,) = healthy.objects["/api/v1/nodes"]
    node.setdefault("metadata", {})["labels"] = {"pool": "gpu", "zone": "a"}
    assert findings(healthy)["Nodes and their GPUs"].result == OK
