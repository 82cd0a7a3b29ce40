"""Isolation of users: real tokens reach nothing outside their namespace, and there only what users need.

KUBECONFIG=… pytest -m control_plane -n 1 tests/cluster/test_isolation.py
"""

import base64
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from riseml.cluster.api import Api, path
from riseml.cluster.api_errors import RefusedError
from riseml.cluster.connection import Connection, from_kubeconfig
from riseml.cluster.users import Users
from riseml.errors import InvalidInputError
from tests.cluster import residents
from tests.cluster.residents import OFFER, Caller, caller

pytestmark = [pytest.mark.control_plane, pytest.mark.timeout(200)]

VERBS = (
    "get",
    "list",
    "watch",
    "create",
    "patch",
    "update",
    "delete",
    "deletecollection",
)
CORE, ARGO = "/api/v1", "/apis/argoproj.io/v1alpha1"
RBAC = "/apis/rbac.authorization.k8s.io/v1"

# All kinds of namespaces: API group and version, plural, subresource, a name.
NAMESPACED = [
    *((CORE, plural, "", "some") for plural in (
        "pods", "secrets", "configmaps", "services", "serviceaccounts", "persistentvolumeclaims", "events",
        "resourcequotas", "limitranges", "endpoints", "replicationcontrollers", "podtemplates")),
    *((CORE, "secrets", "", name) for name in (
        "riseml-secrets", "riseml-user.service-account-token", "riseml-job.service-account-token")),
    *((CORE, "configmaps", "", name) for name in ("riseml", "riseml-images")),
    *((CORE, "pods", sub, "some") for sub in (
        "log", "exec", "portforward", "attach", "proxy", "eviction", "binding", "ephemeralcontainers", "status")),
    (CORE, "services", "proxy", "riseml"),
    (CORE, "serviceaccounts", "token", "riseml-job"),
    (CORE, "serviceaccounts", "token", "riseml-user"),
    *((ARGO, plural, "", "some") for plural in ("workflows", "workflowtaskresults")),
    *((RBAC, plural, "", "riseml-user") for plural in ("roles", "rolebindings")),
    *(("/apis/apps/v1", plural, "", "riseml-store") for plural in (
        "deployments", "daemonsets", "statefulsets", "replicasets", "controllerrevisions")),
    ("/apis/apps/v1", "deployments", "scale", "riseml-store"),
    *(("/apis/batch/v1", plural, "", "some") for plural in ("jobs", "cronjobs")),
    *(("/apis/networking.k8s.io/v1", plural, "", "riseml") for plural in ("networkpolicies", "ingresses")),
    ("/apis/events.k8s.io/v1", "events", "", "some"),
    ("/apis/coordination.k8s.io/v1", "leases", "", "some"),
    ("/apis/policy/v1", "poddisruptionbudgets", "", "some"),
    ("/apis/autoscaling/v2", "horizontalpodautoscalers", "", "some"),
    ("/apis/authorization.k8s.io/v1", "localsubjectaccessreviews", "", "some"),
]  # fmt: skip
GLOBAL = [
    *((CORE, plural) for plural in ("nodes", "namespaces", "persistentvolumes")),
    *((CORE, plural) for plural in ("pods", "secrets", "configmaps", "events", "services", "persistentvolumeclaims")),
    *((RBAC, plural) for plural in ("clusterroles", "clusterrolebindings", "roles", "rolebindings")),
    (ARGO, "workflows"),
    ("/apis/apiextensions.k8s.io/v1", "customresourcedefinitions"),
    ("/apis/storage.k8s.io/v1", "storageclasses"),
    ("/apis/scheduling.k8s.io/v1", "priorityclasses"),
    ("/apis/certificates.k8s.io/v1", "certificatesigningrequests"),
    ("/apis/apiregistration.k8s.io/v1", "apiservices"),
    *(("/apis/admissionregistration.k8s.io/v1", plural) for plural in (
        "validatingadmissionpolicies", "validatingadmissionpolicybindings", "validatingwebhookconfigurations",
        "mutatingwebhookconfigurations")),
    ("/apis/authentication.k8s.io/v1", "tokenreviews"),
    ("/apis/authorization.k8s.io/v1", "subjectaccessreviews"),
]  # fmt: skip

# Rights of a user in the own namespace: (plural/subresource, name or * for any): verbs.
ALLOWED = {
    ("workflows", "*"): {"get", "list", "watch", "create", "patch", "delete"},
    ("pods", "*"): {"get", "list", "watch", "delete"},
    ("pods/log", "*"): {"get"},
    ("pods/exec", "*"): {"get", "create"},
    ("pods/portforward", "*"): {"get", "create"},
    ("events", "*"): {"get", "list", "watch"},
    ("configmaps", "riseml"): {"get", "patch"},
    ("configmaps", "riseml-images"): {"get", "patch"},
    ("secrets", "riseml-secrets"): {"get", "patch"},
    ("persistentvolumeclaims", "*"): {"get", "list"},
    ("resourcequotas", "*"): {"get", "list"},
    ("services", "*"): {"get", "list"},
    ("deployments", "*"): {"get", "list"},
}
JOB_ALLOWED = {
    ("workflowtaskresults", "*"): {"create", "patch"},
    ("pods", "*"): {"list", "delete"},
}
WORKFLOW: dict[str, Any] = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "Workflow",
    "metadata": {"name": "tried"},
    "spec": {"entrypoint": "main", "suspend": True},
}


@dataclass
class Residents:
    """Administrator, and two users who know each other's names."""

    users: Users
    ann: Caller
    bob: Caller

    @property
    def api(self) -> Api:
        return self.users.api


@pytest.fixture(scope="module")
def two(worker_id: str) -> Iterator[Residents]:
    api = Api(from_kubeconfig())
    residents.define_argo(api)
    users = Users(api, OFFER)
    created = [
        residents.make(users, f"isolation-{name}-{worker_id}")
        for name in ("ann", "bob")
    ]
    yield Residents(users, *map(caller, created))
    for user in created:
        residents.leave(api, user.namespace)


def _other_namespaces(two: Residents) -> list[str]:
    return [
        two.bob.connection.namespace,
        "riseml",
        "argo",
        "kube-system",
        "kube-public",
        "default",
    ]


def _job(two: Residents) -> Caller:
    """Return a client with the executor's token."""
    ann = two.ann.connection
    secret = two.api.get(
        path("secrets", ann.namespace, "riseml-job.service-account-token")
    )
    token = base64.b64decode(secret["data"]["token"]).decode()
    return Caller(Connection(ann.server, ann.authority, token, namespace=ann.namespace))


def _wrong(
    who: Caller, namespace: str, allowed: dict[tuple[str, str], set[str]]
) -> Iterator[str]:
    """Yield the rights that differ from `allowed`."""
    for group, plural, sub, name in NAMESPACED:
        kind = (
            f"{plural}/{sub}"
            if sub
            else plural
            if "events.k8s.io" not in group
            else "events of the other group"
        )
        fitting = [
            verbs
            for (allowed_kind, which), verbs in allowed.items()
            if allowed_kind == kind and which in {"*", name}
        ]
        for verb in VERBS:
            if sub and verb in {"list", "watch", "deletecollection"}:
                continue
            body: dict[str, Any] | None = (
                WORKFLOW if (verb, plural) == ("create", "workflows") else None
            )
            may = who.may(
                verb, f"{group}/namespaces/{namespace}/{plural}", name, sub, body
            )
            if may is not any(verb in verbs for verbs in fitting):
                yield f"{verb} {kind} {name} in {namespace}: {'allowed' if may else 'refused'}"


def test_users_have_exactly_the_rights_they_need(two: Residents) -> None:
    assert list(_wrong(two.ann, two.ann.connection.namespace, ALLOWED)) == []


def test_users_have_no_rights_in_other_namespaces(two: Residents) -> None:
    assert [
        fault
        for namespace in _other_namespaces(two)
        for fault in _wrong(two.ann, namespace, {})
    ] == []


def test_the_executor_may_only_report_and_delete_pods(
    two: Residents,
) -> None:
    job = _job(two)
    assert list(_wrong(job, job.connection.namespace, JOB_ALLOWED)) == []
    assert list(_wrong(job, two.bob.connection.namespace, {})) == []


@pytest.mark.parametrize("who", ["user", "job"])
def test_nobody_has_rights_on_the_cluster(who: str, two: Residents) -> None:
    asking = two.ann if who == "user" else _job(two)
    verbs = [(verb, group, plural) for group, plural in GLOBAL for verb in VERBS]
    allowed = [
        (verb, plural)
        for verb, group, plural in verbs
        if asking.may(verb, f"{group}/{plural}", "some")
    ]
    assert allowed == []


@pytest.mark.parametrize("who", ["user", "job"])
def test_the_server_lists_no_further_rights(who: str, two: Residents) -> None:
    """The server lists the rights that are checked above, and those that all accounts have."""
    asking = two.ann if who == "user" else _job(two)
    home = {
        f"{kind} {name}": verbs
        for (kind, name), verbs in (ALLOWED if who == "user" else JOB_ALLOWED).items()
    }
    assert _rules(asking, asking.connection.namespace) == home
    assert _rules(asking, two.bob.connection.namespace) == {}
    assert _rules(asking, "kube-system") == {}


def _rules(who: Caller, namespace: str) -> dict[str, set[str]]:
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": namespace},
    }
    review = Api(who.connection).create(
        "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", body
    )
    rights: dict[str, set[str]] = {}
    for rule in review["status"]["resourceRules"]:
        if not {"authorization.k8s.io", "authentication.k8s.io"} & set(
            rule["apiGroups"]
        ):
            for kind in rule["resources"]:
                for name in rule.get("resourceNames") or ["*"]:
                    rights.setdefault(f"{kind} {name}", set()).update(rule["verbs"])
    return rights


@pytest.mark.parametrize(
    "headers",
    [
        {"Impersonate-User": "admin"},
        {"Impersonate-User": "system:serviceaccount:riseml-isolation-bob:riseml-user"},
        {"Impersonate-User": "admin", "Impersonate-Group": "system:masters"},
    ],
)
def test_impersonation_is_refused(headers: dict[str, str], two: Residents) -> None:
    home = path("configmaps", two.ann.connection.namespace, "riseml")
    assert two.ann.ask("GET", home)[0] == 200
    assert two.ann.ask("GET", home, headers=headers)[0] == 403


def test_requests_without_a_key_are_refused(two: Residents) -> None:
    nobody = Caller(Connection(two.ann.connection.server, two.ann.connection.authority))
    wrong = Caller(
        Connection(
            two.ann.connection.server, two.ann.connection.authority, "eyJ.abc.def"
        )
    )
    for at in (
        path("pods", two.ann.connection.namespace),
        path("secrets"),
        path("nodes"),
    ):
        assert nobody.ask("GET", at)[0] in {401, 403}
        assert wrong.ask("GET", at)[0] == 401


# Whoever may submit Workflows determines their pods, so the cluster checks every pod.


def _pod(container: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    main = {"name": "main", "image": "localhost/base:1", **(container or {})}
    spec = {
        "containers": [main],
        "serviceAccountName": "riseml-job",
        "automountServiceAccountToken": False,
        **spec,
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "tried"},
        "spec": spec,
    }


def _mounting(source: dict[str, Any], **container: Any) -> dict[str, Any]:
    return _pod(
        {"volumeMounts": _MOUNTS, **container}, volumes=[{"name": "foreign", **source}]
    )


_KEY, _TOKEN = "riseml-user.service-account-token", "riseml-job.service-account-token"
_EXECUTOR = {"secret": {"secretName": _TOKEN}}
_EMISSARY = ["/var/run/argo/argoexec", "emissary", "--loglevel", "info", "--"]
_DELETE = [*_EMISSARY, "argoexec", "resource", "delete", "--loglevel", "info"]
_MOUNTS = [{"name": "foreign", "mountPath": "/foreign"}]


def _variable(secret: str) -> dict[str, Any]:
    return _pod(
        {
            "env": [
                {
                    "name": "KEY",
                    "valueFrom": {"secretKeyRef": {"name": secret, "key": "token"}},
                }
            ]
        }
    )


REFUSED = {
    "folder of the node": _mounting({"hostPath": {"path": "/"}}),
    "privileged": _pod({"securityContext": {"privileged": True}}),
    "network of the node": _pod(hostNetwork=True),
    "processes of the node": _pod(hostPID=True),
    "memory of the node": _pod(hostIPC=True),
    "port of the node": _pod({"ports": [{"containerPort": 80, "hostPort": 80}]}),
    "capability": _pod({"securityContext": {"capabilities": {"add": ["SYS_ADMIN"]}}}),
    "privileged init container": _pod(
        initContainers=[
            {"name": "a", "image": "a", "securityContext": {"privileged": True}}
        ]
    ),
    "no seccomp": _pod({"securityContext": {"seccompProfile": {"type": "Unconfined"}}}),
    "nfs": _mounting({"nfs": {"server": "10.0.0.1", "path": "/"}}),
    "iscsi": _mounting(
        {
            "iscsi": {
                "targetPortal": "10.0.0.1",
                "iqn": "iqn.2001-04.com.example:a",
                "lun": 0,
            }
        }
    ),
    "csi": _mounting({"csi": {"driver": "nfs.csi.k8s.io"}}),
    "the user's account": _pod(serviceAccountName="riseml-user"),
    "mounted token": _pod(automountServiceAccountToken=True),
    "token by projection": _mounting(
        {"projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}
    ),
    "API key as a volume": _mounting({"secret": {"secretName": _KEY}}),
    "executor's token as a volume": _mounting(_EXECUTOR),
    "API key by projection": _mounting(
        {"projected": {"sources": [{"secret": {"name": _KEY}}]}}
    ),
    "executor's token by projection": _mounting(
        {"projected": {"sources": [{"secret": {"name": _TOKEN}}]}}
    ),
    "API key as a variable": _variable(_KEY),
    "executor's token as a variable": _variable(_TOKEN),
    "executor's token as variables": _pod(
        {"envFrom": [{"secretRef": {"name": _TOKEN}}]}
    ),
    "executor's token to make something": _mounting(
        _EXECUTOR, command=[*_EMISSARY, "argoexec", "resource", "create", "-v"]
    ),
    "executor's token beside an executor": _pod(
        volumes=[{"name": "foreign", **_EXECUTOR}],
        containers=[
            {"name": name, "image": "a", "command": _DELETE, "volumeMounts": _MOUNTS}
            for name in ("main", "wait")
        ],
    ),
    "executor's token in an init container": _pod(
        initContainers=[
            {
                "name": "a",
                "image": "a",
                "volumeMounts": [{"name": "t", "mountPath": "/t"}],
            }
        ],
        volumes=[{"name": "t", **_EXECUTOR}],
    ),
    "priority of the system": _pod(priorityClassName="system-node-critical"),
}
_CLAIM = {"persistentVolumeClaim": {"claimName": "riseml-output"}}
ALLOWED_PODS = {
    "plain": _pod(),
    "claim": _mounting(_CLAIM),
    "secret of the user": _variable("riseml-secrets"),
    "executor": _mounting(_EXECUTOR, name="wait"),
    "executor that deletes pods": _mounting(_EXECUTOR, command=_DELETE),
    "memory": _mounting({"emptyDir": {"medium": "Memory"}}),
}


_LOCK = {"mutexes": [{"name": "image", "namespace": "riseml-isolation-bob"}]}
REFUSED_WORKFLOWS: dict[str, dict[str, Any]] = {
    "lock elsewhere": {"synchronization": _LOCK},
    "lock elsewhere in a template": {
        "templates": [{"name": "main"}, {"name": "b", "synchronization": _LOCK}]
    },
    "semaphore elsewhere": {
        "synchronization": {"semaphores": [{"namespace": "kube-system"}]}
    },
    "claim of its own": {
        "volumeClaimTemplates": [
            {"metadata": {"name": "a"}, "spec": {"volumeName": "foreign"}}
        ]
    },
}
ALLOWED_WORKFLOWS: dict[str, dict[str, Any]] = {
    "plain": {},
    "lock": {
        "templates": [
            {"name": "main", "synchronization": {"mutexes": [{"name": "image"}]}}
        ]
    },
}


@pytest.fixture(scope="module")
def policed(two: Residents) -> Residents:
    """Return the residents once the server applies the policy, which takes some seconds."""
    end = time.monotonic() + 30
    lock = REFUSED_WORKFLOWS["lock elsewhere"]
    while (
        not _answer(two, _variable(_KEY)) or _submission(two, lock)[0] == 201
    ) and time.monotonic() < end:
        time.sleep(0.3)
    return two


def _answer(two: Residents, pod: dict[str, Any]) -> str:
    """Return why a pod is refused in a user's namespace, empty if it is not."""
    try:
        two.api.create(path("pods", two.ann.connection.namespace), pod, **residents.DRY)
    except RefusedError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("name", REFUSED)
def test_pods_that_leave_their_namespace_are_refused(
    name: str, policed: Residents
) -> None:
    answer = _answer(policed, REFUSED[name])
    assert "violates PodSecurity" in answer or "riseml-user-pods" in answer


@pytest.mark.parametrize("name", ALLOWED_PODS)
def test_pods_of_jobs_are_allowed(name: str, policed: Residents) -> None:
    assert _answer(policed, ALLOWED_PODS[name]) == ""


def _submission(two: Residents, spec: dict[str, Any]) -> tuple[int, str]:
    at = path("workflows", two.ann.connection.namespace)
    return two.ann.ask(
        "POST", f"{at}?dryRun=All", {**WORKFLOW, "spec": {**WORKFLOW["spec"], **spec}}
    )


@pytest.mark.parametrize("name", REFUSED_WORKFLOWS)
def test_workflows_that_leave_their_namespace_are_refused(
    name: str, policed: Residents
) -> None:
    status, message = _submission(policed, REFUSED_WORKFLOWS[name])
    assert status == 422
    assert "riseml-user-workflows" in message


@pytest.mark.parametrize("name", ALLOWED_WORKFLOWS)
def test_workflows_of_jobs_are_allowed(name: str, policed: Residents) -> None:
    assert _submission(policed, ALLOWED_WORKFLOWS[name])[0] == 201


def test_the_executor_has_only_one_right_that_users_lack() -> None:
    beyond = {
        kind: verbs - ALLOWED.get(kind, set()) for kind, verbs in JOB_ALLOWED.items()
    }
    assert {kind: verbs for kind, verbs in beyond.items() if verbs} == {
        ("workflowtaskresults", "*"): {"create", "patch"}
    }


def test_an_update_keeps_the_counter_and_other_limits(
    two: Residents,
) -> None:
    name, namespace = two.ann.connection.user, two.ann.connection.namespace
    two.ann.ask(
        "PATCH", path("configmaps", namespace, "riseml"), {"data": {"number": "7"}}
    )
    two.users.update(name, limits={"gpus": "2", "cpus": "4"})
    changed = two.users.update(name, "new@example.com", {"gpus": None})
    assert (changed.email, changed.limits) == ("new@example.com", {"requests.cpu": "4"})
    assert two.api.get(path("configmaps", namespace, "riseml"))["data"]["number"] == "7"
    assert two.users.update(name, limits={"cpus": None}).limits == {}


def test_names_of_users_differ_by_more_than_case(two: Residents) -> None:
    with pytest.raises(InvalidInputError, match="already"):
        two.users.create(two.ann.connection.user.upper(), "other@example.com")
    assert two.ann.connection.user in {user.name for user in two.users.list()}


def test_a_disabled_key_is_refused_within_15_seconds(
    two: Residents, worker_id: str
) -> None:
    user = residents.make(two.users, f"isolation-eve-{worker_id}")
    try:
        eve, home = caller(user), path("configmaps", user.namespace, "riseml")
        assert eve.ask("GET", home)[0] == 200
        start = time.monotonic()
        assert two.users.disable(user.name).enabled is False
        while eve.ask("GET", home)[0] == 200 and time.monotonic() - start < 30:
            time.sleep(0.2)
        took = time.monotonic() - start
        assert eve.ask("GET", home)[0] == 401
        assert took < 15
        enabled = two.users.update(user.name)
        assert enabled.enabled
        assert enabled.key != user.key
        assert caller(enabled).ask("GET", home)[0] == 200
        assert eve.ask("GET", home)[0] == 401
    finally:
        residents.leave(two.api, user.namespace)
