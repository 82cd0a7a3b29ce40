"""Administration of bare clusters: without Argo, with someone else's, and with fewer rights.

KUBECONFIG=… pytest -m control_plane -n 1 tests/cluster/test_administration.py
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from riseml import cli
from riseml.cluster.api import Api, path, path_of
from tests.cluster import residents
from tests.unit.cluster.test_sites import POLICIES

pytestmark = [pytest.mark.control_plane, pytest.mark.timeout(200)]

USER = "administration"
NAMESPACE = f"riseml-{USER}"
VALUES = """
storage: {volumes: {nfs: {server: 10.0.0.5, path: "/export/{namespace}/{claim}"}}}
registry: {deploy: false, address: "reg.example:5000", pullAddress: ""}
"""
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
# Its CustomResourceDefinitions are those of Argo's `minimal` manifests, without comments.
KINDS = {"workflows": "Workflow", "workflowtaskresults": "WorkflowTaskResult"}


@dataclass
class Result:
    """Exit status and output of a command line."""

    status: int
    out: str
    err: str


Riseml = Callable[..., Result]


@pytest.fixture
def riseml(
    api: Api,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Iterator[Riseml]:
    """Return a function that runs a command line of an administrator."""
    monkeypatch.setenv("RISEML_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "values.yml").write_text(VALUES, "utf-8")

    def run(*words: str) -> Result:
        capfd.readouterr()
        status = cli.main(words)
        return Result(status, *capfd.readouterr())

    yield run
    run("system", "uninstall", "--users", "-y")
    residents.wait_until_gone(api, "riseml", 60)


@pytest.fixture
def argo(api: Api) -> Iterator[None]:
    """Install someone else's Argo with the instance id lab; its pods never start."""
    bodies = [residents.definition(plural, kind) for plural, kind in KINDS.items()]
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "argo"}}
    bodies += [namespace, _config_map(), _deployment()]
    for body in bodies:
        api.apply(body)
    yield
    # The definitions stay for other tests on this control plane.
    for body in bodies[-2:]:
        api.delete(path_of(body))


def _config_map() -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "workflow-controller-configmap", "namespace": "argo"},
        "data": {
            "instanceID": "lab",
            "artifactRepository": "archiveLogs: true\ns3:\n  bucket: argo\n",
        },
    }


def _deployment() -> dict[str, Any]:
    labels = {"app": "workflow-controller"}
    container = {
        "name": "workflow-controller",
        "image": "quay.io/argoproj/workflow-controller:v4.1.2",
        "command": ["workflow-controller"],
    }
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "workflow-controller", "namespace": "argo"},
        "spec": {"selector": {"matchLabels": labels}, "template": template},
    }


def findings(riseml: Riseml) -> dict[str, dict[str, str]]:
    """Return the findings of `riseml doctor` by their titles."""
    records = json.loads(riseml("doctor", "-o", "json").out)
    return {record["check"]: record for record in records}


def check(riseml: Riseml, *words: str) -> dict[str, Any]:
    result = riseml("system", "install", "--check", "-o", "json", *words)
    plan: dict[str, Any] = json.loads(result.out)
    assert result.status == (0 if plan["possible"] else 1)
    return plan


def test_without_argo_it_says_how_to_get_it(api: Api, riseml: Riseml) -> None:
    if api.find("/apis/argoproj.io/v1alpha1") is not None:
        residents.unavailable("an earlier test has defined Argo's resources")
    plan = check(riseml)
    assert not plan["possible"]
    assert {step["outcome"] for step in plan["steps"]} == {"created"}
    result = riseml("system", "install", "-f", "values.yml", "-y", "--wait", "0")
    assert (result.status, "no run can start" in result.err) == (1, True)
    assert "install.yaml" in result.err
    found = findings(riseml)["Argo's custom resources"]
    assert found["detail"] == "there is no Argo Workflows on this cluster"


def test_someone_elses_instance_id_is_taken_for_all_users(
    api: Api, riseml: Riseml, request: pytest.FixtureRequest
) -> None:
    riseml("system", "install", "-f", "values.yml", "-y", "--wait", "0")
    email = f"{USER}@example.com"
    created = riseml("user", "create", "--username", USER, "--email", email)
    assert created.status == 0, created.err
    request.getfixturevalue("argo")
    found = findings(riseml)["Argo's controller"]
    assert found["result"] == "failed"
    assert found["detail"] == (
        "Argo 4.1.2 in argo watches all namespaces, with the instance id lab; RiseML's runs have none"
    )
    assert found["fix"] == "`riseml system upgrade` sets `argo.instanceId` to lab."
    plan = check(riseml)
    assert plan["detected"] == [
        "argo.instanceId: lab (of argo/workflow-controller-configmap)"
    ]
    assert USER in plan["users"]
    upgraded = riseml("system", "upgrade", "-y", "--wait", "0")
    assert f"~ user {USER} updated\n" in upgraded.out
    data = api.get(path("configmaps", NAMESPACE, "riseml"))["data"]
    assert json.loads(data["target"])["instance"] == "lab"
    again = findings(riseml)
    # No pod ever runs on a bare control plane.
    assert again["Argo's controller"]["detail"].endswith("; it has no ready pod")
    settings = again["The settings of Argo's controller"]
    assert settings["detail"].startswith(
        "argo/workflow-controller-configmap: artifact repository: s3"
    )
    assert again["The settings of the users"]["result"] == "ok"
    assert check(riseml)["users"] == []


def test_a_check_says_what_is_not_allowed(
    api: Api, riseml: Riseml, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weak = _viewer(api, tmp_path)
    monkeypatch.setenv("KUBECONFIG", str(weak))
    plan = check(riseml)
    # Objects of the namespace cannot be tried before it exists.
    assert {step["outcome"] for step in plan["steps"]} <= {"refused", "created"}
    reasons = {step["object"]: step["reason"] for step in plan["steps"]}
    assert reasons["Namespace riseml"].startswith('you cannot patch resource "name')
    (rights,) = [
        finding
        for finding in plan["requirements"]
        if finding["check"] == "Your rights to install and to create users"
    ]
    assert rights["result"] == "failed"
    result = riseml("system", "install", "-y")
    assert (result.status, "Nothing was changed" in result.err) == (3, True)


def _viewer(api: Api, folder: Path) -> Path:
    """Return the kubeconfig of an account that may only read what is no Secret."""
    name = {"name": "administration-viewer"}
    accounts = path("serviceaccounts", "default")
    account = {"kind": "ServiceAccount", **name, "namespace": "default"}
    api.ensure(
        accounts, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": name}
    )
    group = "rbac.authorization.k8s.io"
    binding = {
        "apiVersion": f"{group}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": name,
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "view"},
        "subjects": [account],
    }
    api.ensure(path("clusterrolebindings"), binding)
    request = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"expirationSeconds": 600},
    }
    answer = api.create(f"{accounts}/{name['name']}/token", request)
    (folder / "ca.crt").write_text(api.connection.authority, "utf-8")
    cluster = {
        "server": api.connection.server,
        "certificate-authority": str(folder / "ca.crt"),
    }
    content = {
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": {"token": answer["status"]["token"]}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    file = folder / "viewer.kubeconfig"
    file.write_text(yaml.safe_dump(content), "utf-8")
    return file


def test_a_changed_limit_range_survives_an_update(api: Api, riseml: Riseml) -> None:
    riseml("system", "install", "-f", "values.yml", "-y", "--wait", "0")
    # The namespace of the earlier test may still be there, terminating.
    riseml("user", "create", "--username", "ranges", "--email", "r@example.com")
    limit_range = path("limitranges", "riseml-ranges", "riseml")
    mine = [{"type": "Container", "max": {"memory": "64Gi"}}]
    api.patch(limit_range, {"spec": {"limits": mine}})
    before = api.get(limit_range)["spec"]
    assert riseml("user", "update", "--all").out == "~ user ranges updated\n"
    assert api.get(limit_range)["spec"] == before
    assert before["limits"][0]["max"] == {"memory": "64Gi"}


def test_uninstalling_says_what_is_lost(api: Api, riseml: Riseml) -> None:
    riseml("system", "install", "-f", "values.yml", "-y", "--wait", "0")
    riseml("user", "create", "--username", "losing", "--email", "l@example.com")
    result = riseml("system", "uninstall", "--users", "--dry-run")
    assert "- Namespace riseml-losing\n" in result.out
    assert "losing" in result.err.partition(" with all their runs")[0]
    # Each user of these tests has three volumes, whose policy is Retain.
    assert "The files of 0 volumes are deleted" in result.err
    assert api.find(path("namespaces", None, "riseml-losing")) is not None
    assert riseml("system", "uninstall", "--users", "-y").status == 0
    residents.wait_until_gone(api, "riseml", 60)
    residents.wait_until_gone(api, "riseml-losing", 60)
    again = riseml("system", "uninstall", "--users", "-y")
    assert (again.status, again.err) == (0, "Nothing of RiseML is on this cluster.\n")


def test_a_taken_node_port_is_refused_before_anything_changes(
    api: Api, riseml: Riseml, tmp_path: Path
) -> None:
    port = 31777
    ports = [{"port": 80, "nodePort": port}]
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "taken", "namespace": "default"},
        "spec": {"type": "NodePort", "ports": ports},
    }
    api.apply(service)
    text = f"registry: {{nodePort: {port}, pullAddress: 'localhost:{port}'}}"
    (tmp_path / "taken.yml").write_text(text, "utf-8")
    plan = check(riseml, "-f", "taken.yml")
    api.delete(path_of(service))
    refused = {
        step["object"]: step["reason"]
        for step in plan["steps"]
        if step["outcome"] == "refused"
    }
    assert list(refused) == ["Service riseml/registry"]
    assert "provided port is already allocated" in refused["Service riseml/registry"]


def test_the_policies_of_the_documentation_are_valid(api: Api, riseml: Riseml) -> None:
    riseml("system", "install", "-f", "values.yml", "-y", "--wait", "0")
    riseml("user", "create", "--username", "policies", "--email", "p@example.com")
    for policy in POLICIES:
        text = yaml.safe_dump(policy).replace("riseml-NAME", "riseml-policies")
        body = yaml.safe_load(text)
        applied = api.apply(body, dry_run=True)
        for direction in ("ingress", "egress"):
            rules = body["spec"].get(direction, [])
            assert len(applied["spec"].get(direction, [])) == len(rules)
