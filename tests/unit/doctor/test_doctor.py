"""Checks of a machine and of a cluster: each finds what is well, and what is not, and none ends another."""

import os
from collections.abc import Callable, Iterator
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
    """An API server; what is in `objects` is there, by path, or an error that asking for it raises."""

    def __init__(self) -> None:
        self.connection = Connection(
            "https://k8s", token="t", namespace="riseml-paul", user="paul"
        )
        self.denied = set[str]()
        self.date = format_datetime(datetime.now(UTC))
        own, system = (
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
            own: {
                "metadata": {
                    "labels": {"pod-security.kubernetes.io/enforce": "baseline"}
                }
            },
            f"{own}/configmaps/riseml": {
                "data": {"user": "paul", "number": "14", "target": "{}"}
            },
            f"{own}/services/riseml": {
                "spec": {"clusterIP": "None", "publishNotReadyAddresses": True}
            },
            f"{own}/secrets/riseml-secrets": {"data": {"TOKEN": "x"}},
            f"{own}/pods": [{"metadata": {"name": "store"}, "status": READY}],
            f"{own}/persistentvolumeclaims": claims,
            f"{own}/resourcequotas": [
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

    def get(self, at: str, **query: Any) -> Any:
        found = self.objects.get(at, NotFoundError(f"{at} is not there"))
        if isinstance(found, RiseMLError):
            raise found
        return found

    def find(self, at: str, **query: Any) -> Any:
        try:
            return self.get(at)
        except NotFoundError:
            return None

    def items(self, at: str, **query: Any) -> Iterator[Any]:
        yield from self.get(at)

    def may(self, verb: str, resource: str, namespace: str, **more: str) -> bool:
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
def there(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """A cluster where all is well, and a store that answers."""

    def script(self: StorePod, text: str, *arguments: str) -> bytes:
        if text.startswith("git"):
            return b"git version 2.39.5\n"
        if text.startswith("df"):
            return b"Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/x 10 4 6 40% /data\n"
        return b"HTTP/1.1 200 OK\r\n"

    monkeypatch.setattr(StorePod, "script", script)
    return Cluster()


def findings(there: Cluster) -> dict[str, Finding]:
    site = CheckContext(cast(Api, there), "riseml-paul", "paul", NOW)
    return {finding.title: finding for finding in run(cluster.everything(site))}


def test_all_is_well(there: Cluster) -> None:
    found = findings(there)
    assert {
        title: each.result for title, each in found.items() if each.result != OK
    } == {"The Argo Server": SKIPPED}
    assert len(found) >= 20
    assert not any(each.fix for each in found.values())


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
            "The namespace is a user's",
            FAILED,
            "has no ConfigMap riseml",
        ),
        (
            f"{OWN}/configmaps/riseml",
            {"data": {"target": "{"}},
            "The namespace is a user's",
            FAILED,
            "cannot be read",
        ),
        (WORKFLOWS, None, "Argo's kinds of objects", FAILED, "knows no Workflows"),
        (
            WORKFLOWS,
            [LATE],
            "Argo's controller looks after the namespace",
            FAILED,
            "mnist-15 was not taken up for 60 seconds",
        ),
        (
            WORKFLOWS,
            [],
            "Argo's controller looks after the namespace",
            SKIPPED,
            "no run by which to tell",
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
            "The Service by which jobs find each other",
            FAILED,
            "there is no Service",
        ),
        (
            f"{OWN}/services/riseml",
            {"spec": {}},
            "The Service by which jobs find each other",
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
            "What all users share",
            FAILED,
            "no namespace riseml",
        ),
        (
            DEPLOYMENTS,
            [{"metadata": {"name": "buildkitd"}}],
            "What all users share",
            FAILED,
            "not ready: buildkitd",
        ),
        (
            POLICY,
            None,
            "The rules for users' pods and Workflows",
            FAILED,
            "missing: riseml-user-pods",
        ),
        (
            POLICY,
            {"spec": {}},
            "The rules for users' pods and Workflows",
            WARNING,
            "not those of this version: riseml-user-",
        ),
        (
            OWN,
            {"metadata": {}},
            "Pod Security of the namespace",
            FAILED,
            "the level enforced is none",
        ),
        ("/api/v1/nodes", CLOSED, "Nodes, and their GPUs", FAILED, "no node is ready"),
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
def test_what_is_not_well(  # noqa: PLR0917
    there: Cluster, path: str, value: Any, title: str, result: str, words: str
) -> None:
    if value is None:
        del there.objects[path]
    else:
        there.objects[path] = value
    found = findings(there)
    assert (found[title].result, words in found[title].found) == (result, True), found[
        title
    ]
    assert bool(found[title].fix) == (result in {FAILED, WARNING})


@pytest.mark.parametrize(
    ("path", "titles"),
    [
        ("/api/v1/namespaces/riseml", ["What all users share"]),
        (POLICY, ["The rules for users' pods and Workflows"]),
        ("/api/v1/nodes", ["Nodes, and their GPUs"]),
        (OWN, ["Pod Security of the namespace"]),
        (
            "/apis/authorization.k8s.io/v1/subjectaccessreviews",
            ["The rights of Argo's executor"],
        ),
        ("/api/v1/namespaces/kube-system", ["The version of Argo"]),
    ],
)
def test_what_only_administrators_see_is_left_out_for_others(
    there: Cluster, path: str, titles: list[str]
) -> None:
    there.objects[path] = NotAllowedError("not allowed")
    found = findings(there)
    assert [
        title
        for title, each in found.items()
        if each.result == SKIPPED and "administrators" in each.found
    ] == titles
    assert not [each for each in found.values() if each.result == FAILED]


def test_missing_rights_are_named(there: Cluster) -> None:
    there.denied = {"create pods", "executor"}
    found = findings(there)
    assert found["Your rights there"].found == "not allowed: create pods/exec"
    assert found["The rights of Argo's executor"].result == FAILED


def test_a_clock_that_is_wrong(there: Cluster) -> None:
    there.date = "Thu, 01 Jan 2026 00:00:00 GMT"
    assert findings(there)["This machine's clock"].result == WARNING


@pytest.mark.parametrize(
    ("said", "result"),
    [
        (b"HTTP/1.1 401 Unauthorized", OK),
        (b"cannot", SKIPPED),
        (b"", WARNING),
        (b"HTTP/2 503", WARNING),
    ],
)
def test_the_registry(
    there: Cluster, monkeypatch: pytest.MonkeyPatch, said: bytes, result: str
) -> None:
    monkeypatch.setattr(StorePod, "script", lambda self, text, *arguments: said)
    assert findings(there)["The registry for built images"].result == result


def test_nothing_is_tried_behind_a_closed_gate(there: Cluster) -> None:
    there.objects["/version"] = UnreachableError(
        "the cluster at https://k8s does not answer", "Is the network up?"
    )
    first, *others = findings(there).values()
    assert (first.result, first.fix) == (FAILED, "Is the network up?")
    assert {each.result for each in others} == {SKIPPED}
    assert "does not answer" in others[-1].found


def test_one_check_never_ends_another() -> None:
    def broken() -> Outcome:
        raise KeyError("surprise")

    def refused() -> Outcome:
        raise RiseMLError("not there", "Put it there.")

    found = list(
        run(
            [
                Check("a", broken),
                Check("b", refused),
                Check("c", lambda: ok("well")),
                Check("d", lambda: failed("x", "y")),
            ]
        )
    )
    assert [each.result for each in found] == [FAILED, FAILED, OK, FAILED]
    assert "KeyError('surprise')" in found[0].found
    assert (found[1].found, found[1].fix) == ("not there", "Put it there.")


# This machine


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("RISEML_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return load()


def of_machine(settings: Settings) -> dict[str, Finding]:
    return {
        each.title: each
        for each in run([*machine.general(settings, "here"), *engine_checks(settings)])
    }


def test_this_machine_is_well(home: Settings) -> None:
    found = of_machine(home)
    assert not [each for each in found.values() if each.result == FAILED]
    assert found["riseml.yml of the current folder"].result == SKIPPED
    assert found["The local controller"].found.startswith("it does not run")
    assert len(found) == 10
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


def _unmounted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RISEML_MOUNTS", "off")


@pytest.mark.parametrize(
    ("harm", "title", "expected"),
    [
        (_no_git, "git, which keeps the code of runs", (FAILED, "no git")),
        (_old_git, "git, which keeps the code of runs", (FAILED, "git version 2.7.4")),
        (_faults, "riseml.yml of the current folder", (FAILED, "faults, the first")),
        (_full, "Room on the home's disk", (WARNING, "5 MB are free")),
        (
            _unmounted,
            "/code, /data and /output in jobs",
            (WARNING, "RISEML_MOUNTS=off"),
        ),
    ],
)
def test_what_is_not_well_here(
    home: Settings,
    monkeypatch: pytest.MonkeyPatch,
    harm: Harm,
    title: str,
    expected: tuple[str, str],
) -> None:
    harm(monkeypatch)
    found = of_machine(home)[title]
    assert (found.result, expected[1] in found.found, bool(found.fix)) == (
        expected[0],
        True,
        True,
    ), found
