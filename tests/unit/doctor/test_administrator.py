"""Checks of a whole cluster: without Argo, with someone else's, and a complete one."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from riseml.cluster import certificates, namespace_objects, user_versions
from riseml.cluster.api import Api, path_of
from riseml.cluster.values import config_map, parse
from riseml.doctor import FAILED, OK, SKIPPED, WARNING, Finding, administrator, run
from riseml.doctor.cluster_context import ClusterContext
from riseml.errors import NotAllowedError
from tests.unit.doctor.test_doctor import Cluster

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ARGO_SETTINGS = "/api/v1/namespaces/argo/configmaps/workflow-controller-configmap"
VALUES = "/api/v1/namespaces/riseml/configmaps/riseml-values"
CONTROLLERS = "/apis/apps/v1/deployments"
DAEMONS = "/apis/apps/v1/daemonsets"


class Administered(Cluster):
    """Complete cluster, for an administrator."""

    def __init__(self) -> None:
        super().__init__()
        controller = {
            "metadata": {"name": "workflow-controller", "namespace": "argo"},
            "spec": {"template": {"spec": {"containers": [_container()]}}},
            "status": {"availableReplicas": 1},
        }
        store = {
            "metadata": {"name": "riseml-store", "namespace": "riseml-paul"},
            "spec": {"template": {"spec": {}}},
            "status": {"availableReplicas": 1},
        }
        paul = {"name": "riseml-paul", "labels": {"riseml.io/user": "paul"}}
        policies = [{"name": "validatingadmissionpolicies"}]
        group = "/apis/admissionregistration.k8s.io/v1"
        classes = "/apis/storage.k8s.io/v1/storageclasses"
        self.objects |= {
            group: {"resources": policies},
            "/apis/argoproj.io/v1alpha1": {"resources": [{"name": "workflows"}]},
            classes: [_storage_class("nfs", "nfs.csi.k8s.io")],
            CONTROLLERS: [controller, store],
            DAEMONS: [{"metadata": {"name": "calico-node"}}],
            ARGO_SETTINGS: {"data": {}},
            "/api/v1/namespaces": [{"metadata": paul}],
        }
        expires = {certificates.EXPIRES: "2036-01-01T00:00:00+00:00"}
        for name in (certificates.SERVER, certificates.CLIENT):
            secret = f"/api/v1/namespaces/riseml/secrets/{name}"
            self.objects[secret] = {"metadata": {"annotations": expires}}
        self.install("")

    def install(self, text: str) -> None:
        """Store values, and give the user their settings."""
        values = parse(text)
        self.objects[VALUES] = config_map(values)
        digest = user_versions.digest(values.offer())
        metadata = self.objects["/api/v1/namespaces"][0]["metadata"]
        metadata["annotations"] = {user_versions.INSTALLATION: digest}

    def items(self, at: str, **query: Any) -> Iterator[Any]:
        for item in super().items(at):
            name = query.get("fieldSelector", "").removeprefix("metadata.name=")
            if not name or item["metadata"]["name"] == name:
                yield item


def _container(*args: str) -> dict[str, Any]:
    image = "quay.io/argoproj/workflow-controller:v4.1.2"
    return {"image": image, "command": ["workflow-controller"], "args": list(args)}


def _storage_class(name: str, provisioner: str) -> dict[str, Any]:
    annotations = {"storageclass.kubernetes.io/is-default-class": "true"}
    metadata = {"name": name, "annotations": annotations}
    return {"metadata": metadata, "provisioner": provisioner}


@pytest.fixture
def complete() -> Administered:
    return Administered()


def findings(cluster: Cluster) -> dict[str, Finding]:
    context = ClusterContext(cast(Api, cluster), now=NOW)
    found = run(administrator.all_checks(context))
    return {finding.title: finding for finding in found}


def test_a_complete_cluster_has_no_findings(complete: Administered) -> None:
    by_title = findings(complete)
    assert {finding.result for finding in by_title.values()} == {OK}
    assert by_title["Argo's controller"].detail == (
        "Argo 4.1.2 in argo watches all namespaces"
    )
    assert by_title["The settings of Argo's controller"].detail == (
        "argo/workflow-controller-configmap: artifact repository: none; archive: false;"
        " workflow defaults: none; parallelism: no limit"
    )
    assert by_title["The settings of the users"].detail == "all 1 are up to date"


def test_a_namespace_that_is_being_deleted_is_no_installation(
    complete: Administered,
) -> None:
    namespace = complete.objects["/api/v1/namespaces/riseml"]
    namespace["metadata"] = {"deletionTimestamp": "2026-11-28T23:51:00Z"}
    finding = findings(complete)["The installation of RiseML"]
    assert (finding.result, finding.detail) == (
        FAILED,
        "the namespace riseml is being deleted",
    )


def test_without_argo_it_says_how_to_get_it(complete: Administered) -> None:
    del complete.objects["/apis/argoproj.io/v1alpha1"]
    del complete.objects["/apis/argoproj.io/v1alpha1/namespaces/riseml-paul/workflows"]
    complete.objects[CONTROLLERS] = []
    by_title = findings(complete)
    finding = by_title["Argo's custom resources"]
    assert (finding.result, finding.detail) == (
        FAILED,
        "there is no Argo Workflows on this cluster",
    )
    assert "install.yaml" in finding.fix
    assert by_title["Argo's controller"].result == SKIPPED


@pytest.mark.parametrize(
    ("values", "result", "fix"),
    [
        ("", FAILED, "`riseml system upgrade` sets `argo.instanceId` to lab."),
        (
            "argo: {instanceId: other}",
            FAILED,
            "Set `argo: {instanceId: ID}` in values.yml (there is lab)",
        ),
        ("argo: {instanceId: lab}", OK, ""),
    ],
)
def test_an_instance_id_must_agree(
    complete: Administered, values: str, result: str, fix: str
) -> None:
    complete.objects[ARGO_SETTINGS]["data"] = {"instanceID": "lab"}
    complete.install(values)
    finding = findings(complete)["Argo's controller"]
    assert finding.result == result
    assert finding.fix.startswith(fix)
    assert "with the instance id lab" in finding.detail


def test_a_namespaced_argo_does_not_watch_users(complete: Administered) -> None:
    controller = complete.objects[CONTROLLERS][0]
    controller["spec"]["template"]["spec"]["containers"] = [_container("--namespaced")]
    finding = findings(complete)["Argo's controller"]
    assert (finding.result, finding.detail) == (
        FAILED,
        "Argo 4.1.2 in argo watches only argo",
    )
    assert "--namespaced" in finding.fix


@pytest.mark.parametrize(
    ("data", "result", "words"),
    [
        (
            {"workflowRestrictions": "templateReferencing: Strict\n"},
            FAILED,
            "only Workflows that refer to a WorkflowTemplate",
        ),
        ({"initlessPod": "enabled: true\n"}, FAILED, "initlessPod"),
        (
            {"workflowDefaults": "spec:\n  activeDeadlineSeconds: 60\n"},
            WARNING,
            "sets activeDeadlineSeconds for all Workflows",
        ),
        (
            {
                "artifactRepository": "archiveLogs: true\ns3:\n  bucket: b\n",
                "persistence": "archive: true\n",
                "workflowDefaults": "spec:\n  priority: 1\n",
                "parallelism": "5",
            },
            OK,
            "artifact repository: s3; archive: true; workflow defaults: priority; parallelism: 5",
        ),
    ],
)
def test_settings_of_argo_that_matter_are_named(
    complete: Administered, data: dict[str, str], result: str, words: str
) -> None:
    complete.objects[ARGO_SETTINGS]["data"] = data
    finding = findings(complete)["The settings of Argo's controller"]
    assert (finding.result, words in finding.detail) == (result, True), finding


WORKFLOWS = "/apis/argoproj.io/v1alpha1/workflows"


@pytest.mark.parametrize(
    ("age", "labels", "result", "words"),
    [
        (None, {}, WARNING, "no Deployment runs it"),
        (60, {}, FAILED, "team/a has waited 60 seconds"),
        (5, {}, WARNING, "no Deployment runs it"),
        (60, {"workflows.argoproj.io/phase": "Running"}, OK, "processes team/a"),
    ],
)
def test_a_controller_elsewhere_is_known_by_what_it_processes(
    complete: Administered,
    age: int | None,
    labels: dict[str, str],
    result: str,
    words: str,
) -> None:
    complete.objects[CONTROLLERS] = []
    complete.objects[WORKFLOWS] = []
    if age is not None:
        created = datetime.fromtimestamp(NOW.timestamp() - age, UTC).isoformat()
        metadata = {"name": "a", "namespace": "team", "labels": labels}
        workflow = {"metadata": {**metadata, "creationTimestamp": created}}
        complete.objects[WORKFLOWS] = [workflow]
    finding = findings(complete)["Argo's controller"]
    assert (finding.result, words in finding.detail) == (result, True), finding


@pytest.mark.parametrize(
    ("path", "value", "title", "result", "words"),
    [
        (
            "/apis/admissionregistration.k8s.io/v1",
            {"resources": []},
            "The version of Kubernetes",
            FAILED,
            "has no ValidatingAdmissionPolicy",
        ),
        (
            "/apis/storage.k8s.io/v1/storageclasses",
            [],
            "The storage of users' claims",
            FAILED,
            "no default class",
        ),
        (
            "/apis/storage.k8s.io/v1/storageclasses",
            [_storage_class("gp2", "ebs.csi.aws.com")],
            "The storage of users' claims",
            WARNING,
            "one node at a time",
        ),
        (
            "/apis/apps/v1/daemonsets",
            [{"metadata": {"name": "kube-flannel-ds"}}],
            "Network policies",
            WARNING,
            "may reach each other",
        ),
        (
            "/api/v1/namespaces/riseml/secrets/buildkitd",
            None,
            "The certificates of BuildKit",
            WARNING,
            "missing",
        ),
        (
            "/api/v1/namespaces/riseml/configmaps/riseml-values",
            config_map(parse("gpuResource: amd.com/gpu")),
            "The settings of the users",
            WARNING,
            "of another version or of other values: paul",
        ),
    ],
)
def test_problems_of_an_installation_are_found(  # noqa: PLR0917
    complete: Administered, path: str, value: Any, title: str, result: str, words: str
) -> None:
    complete.change(path, value)
    finding = findings(complete)[title]
    assert (finding.result, words in finding.detail) == (result, True), finding
    assert finding.fix


def test_stores_that_are_not_ready_are_named(complete: Administered) -> None:
    complete.objects[CONTROLLERS][1]["status"] = {}
    finding = findings(complete)["The users' stores"]
    assert (finding.result, finding.detail) == (FAILED, "not ready: paul")


def test_missing_rights_are_named(complete: Administered) -> None:
    complete.denied = {"create roles", "patch deployments"}
    finding = findings(complete)["Your rights to install and to create users"]
    assert finding.result == FAILED
    assert finding.detail == (
        "not allowed: patch deployments in all namespaces, create roles in all namespaces, patch deployments in riseml"
    )


def test_without_an_installation_the_rest_is_skipped(complete: Administered) -> None:
    del complete.objects["/api/v1/namespaces/riseml"]
    for policy in namespace_objects.read(namespace_objects.POLICY):
        complete.objects.pop(path_of(policy), None)
    by_title = findings(complete)
    failed = [title for title, item in by_title.items() if item.result == FAILED]
    assert failed == ["The installation of RiseML"]
    assert by_title["The users' stores"].result == SKIPPED


def test_what_may_not_be_read_is_skipped(complete: Administered) -> None:
    secret = "/api/v1/namespaces/riseml/secrets/buildkitd"
    complete.objects[secret] = NotAllowedError("not allowed")
    complete.objects["/api/v1/namespaces"] = NotAllowedError("not allowed")
    by_title = findings(complete)
    skipped = [title for title, item in by_title.items() if item.result == SKIPPED]
    assert skipped == [
        "The certificates of BuildKit",
        "The settings of the users",
        "The users' stores",
    ]
