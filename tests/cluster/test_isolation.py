"""Isolation of users: real logins reach nothing outside their namespace, and there only what users need.

All tests run for users with API keys, for people without one, and for members of teams that share a namespace.

KUBECONFIG=… pytest -m control_plane -n 1 tests/cluster/test_isolation.py
"""

import base64
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from riseml.cluster import reviews
from riseml.cluster.api import Api, path
from riseml.cluster.api_errors import RefusedError
from riseml.cluster.connection import Connection, from_kubeconfig
from riseml.cluster.subjects import Grant
from riseml.cluster.users import Users
from riseml.errors import InvalidInputError, NotAllowedError
from riseml.queues import kueue
from tests.cluster import people, residents
from tests.cluster.control_plane import OIDC_PREFIX
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
# The API server refuses requests before it looks whether it has their kind.
KUEUE = f"/apis/{kueue.VERSION}"
# Users of a cluster with a queue have the most rights.
QUEUED = replace(
    OFFER, target={**OFFER.target, "queue": {"kueue": {"queue": "research"}}}
)

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
    *((ARGO, plural, "", "some") for plural in (
        "workflows", "workflowtaskresults", "workflowtemplates", "cronworkflows")),
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
    *((KUEUE, plural, "", "research") for plural in ("workloads", "localqueues")),
    *((KUEUE, plural, "status", "research") for plural in ("workloads", "localqueues")),
    (f"/apis/visibility.{kueue.VERSION}", "localqueues", "pendingworkloads", "research"),
    *((f"/apis/{group}", "podgroups", "", "some") for group in (
        "scheduling.volcano.sh/v1beta1", "scheduling.x-k8s.io/v1alpha1")),
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
    *((KUEUE, plural) for plural in (
        "clusterqueues", "cohorts", "resourceflavors", "workloadpriorityclasses", "workloads", "localqueues")),
]  # fmt: skip

# Rights of a user in the own namespace: (plural/subresource, name or * for any): verbs.
ALLOWED = {
    ("workflows", "*"): {"get", "list", "watch", "create", "patch", "delete"},
    ("workflowtemplates", "*"): {"get", "list", "watch"},
    ("cronworkflows", "*"): {"get", "list", "watch"},
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
    ("workloads", "*"): {"get", "list", "watch"},
    ("localqueues", "*"): {"get", "list", "watch"},
    ("localqueues/pendingworkloads", "*"): {"get"},
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
    """Administrator, and two users who know each other's names; `kind` says how they log in."""

    users: Users
    ann: Caller
    bob: Caller
    kind: str

    @property
    def api(self) -> Api:
        return self.users.api


@pytest.fixture(scope="module", params=["key", "person", "team", "oidc"])
def two(
    request: pytest.FixtureRequest,
    worker_id: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Residents]:
    api, kind = Api(from_kubeconfig()), str(request.param)
    residents.define_argo(api)
    users = Users(api, QUEUED)
    callers = []
    for name in ("ann", "bob"):
        user_name = f"isolation-{kind}-{name}-{worker_id}"
        folder = tmp_path_factory.mktemp(user_name)
        callers.append(_caller(users, kind, user_name, folder))
    ann, bob = callers
    yield Residents(users, ann, bob, kind)
    for resident in callers:
        residents.leave(api, resident.connection.namespace)


def _caller(users: Users, kind: str, name: str, folder: Path) -> Caller:
    """Create a user, and return a client with its key, or of a person without one.

    A team has two members in a group; the client is the second one, who also belongs to
    other groups of the organization.
    """
    if kind == "key":
        return caller(residents.make(users, name))
    login = f"{name}@example.com"
    if kind == "oidc":
        grant = Grant((f"group:{OIDC_PREFIX}{name}-members",), has_key=False)
        user = residents.make(users, name, grant)
        groups = ("everybody", f"{name}-members")
        kubeconfig = people.member(folder, login, *groups, namespace=user.namespace)
        return Caller(replace(from_kubeconfig(kubeconfig), user=name))
    subject, memberships = login, ["everybody"]
    if kind == "team":
        subject = f"group:{name}-members"
        memberships.append(f"{name}-members")
        people.person(folder / "first", f"first-{login}", *memberships)
    grant = Grant((subject,), has_key=False)
    user = residents.make(users, name, grant)
    member = people.person(folder / "member", login, *memberships)
    return Caller(member.connection(user.namespace))


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
    except (RefusedError, NotAllowedError) as error:
        return str(error)
    return ""


@pytest.mark.parametrize("name", REFUSED)
def test_pods_that_leave_their_namespace_are_refused(
    name: str, policed: Residents
) -> None:
    answer = _answer(policed, REFUSED[name])
    reasons = ["violates PodSecurity", "riseml-user-pods"]
    # Without a key, there is no such account.
    reasons += ['serviceaccount "riseml-user" not found']
    assert any(reason in answer for reason in reasons), answer


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


def _marked(name: str, *, resubmitted: bool = False) -> dict[str, Any]:
    """Return the metadata of a Workflow that names somebody as its submitter."""
    metadata: dict[str, Any] = {
        "name": "submitted",
        "annotations": {"riseml.io/submitter": name},
    }
    if resubmitted:
        metadata["labels"] = {_RESUBMITTED: "tried"}
    return metadata


_RESUBMITTED = "workflows.argoproj.io/resubmitted-from-workflow"


def test_users_can_submit_in_their_own_names_only(policed: Residents) -> None:
    ann = Api(policed.ann.connection)
    own = reviews.name_of_user(ann)
    if policed.kind == "key":
        assert own == (
            f"system:serviceaccount:{policed.ann.connection.namespace}:riseml-user"
        )
    else:
        prefix = OIDC_PREFIX if policed.kind == "oidc" else ""
        name = policed.ann.connection.namespace.removeprefix("riseml-")
        assert own == f"{prefix}{name}@example.com"
    workflows = path("workflows", policed.ann.connection.namespace)
    one = f"{workflows}/submitted"

    def submit(metadata: dict[str, Any]) -> int:
        body = {**WORKFLOW, "metadata": metadata}
        return policed.ann.ask("POST", f"{workflows}?dryRun=All", body)[0]

    def change(metadata: dict[str, Any]) -> int:
        return policed.ann.ask("PATCH", one, {"metadata": metadata})[0]

    assert submit(_marked(own)) == 201
    assert submit(_marked("bob@example.com")) == 422
    # `argo resubmit` copies the annotation; RiseML does not read it there.
    assert submit(_marked("bob@example.com", resubmitted=True)) == 201
    created = {**WORKFLOW, "metadata": _marked(own)}
    assert policed.ann.ask("POST", workflows, created)[0] == 201
    try:
        assert change({"annotations": {"riseml.io/note": "mine"}}) == 200
        assert change({"annotations": {"riseml.io/submitter": "bob"}}) == 422
        assert change({"annotations": {"riseml.io/submitter": None}}) == 422
    finally:
        policed.ann.ask("DELETE", one)
    resubmitted = _marked("bob@example.com", resubmitted=True)
    policed.ann.ask("POST", workflows, {**WORKFLOW, "metadata": resubmitted})
    try:
        assert change({"labels": {_RESUBMITTED: None}}) == 422
        assert change({"labels": {"tags.riseml.io/paper": "true"}}) == 200
    finally:
        policed.ann.ask("DELETE", one)


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
        # The rights end at once, and the token within some seconds.
        while eve.ask("GET", home)[0] != 401 and time.monotonic() - start < 30:
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


def test_a_disabled_user_ends_the_access_of_people_within_15_seconds(
    two: Residents, worker_id: str, tmp_path: Path
) -> None:
    """It ends for those whom RiseML knows, and for those whom an administrator bound to the same Role."""
    name = f"isolation-{two.kind}-team-{worker_id}"
    fay = people.person(tmp_path / "fay", f"fay-{worker_id}@example.com")
    gus = people.person(tmp_path / "gus", f"gus-{worker_id}@example.com")
    user = residents.make(two.users, name, Grant((fay.name,), has_key=False))
    try:
        _bind(two.api, user.namespace, gus.name)
        home = path("configmaps", user.namespace, "riseml")
        callers = [Caller(who.connection(user.namespace)) for who in (fay, gus)]
        assert [who.ask("GET", home)[0] for who in callers] == [200, 200]
        assert two.users.other_rights(user) == []
        start = time.monotonic()
        assert two.users.disable(name).enabled is False
        for who in callers:
            while who.ask("GET", home)[0] == 200 and time.monotonic() - start < 30:
                time.sleep(0.2)
            assert who.ask("GET", home)[0] == 403
        assert time.monotonic() - start < 15
        # A submission is the request that must not succeed.
        workflows = path("workflows", user.namespace)
        assert callers[0].ask("POST", f"{workflows}?dryRun=All", WORKFLOW)[0] == 403
        enabled = two.users.update(name)
        assert enabled.grant.subjects == (fay.name,)
        assert callers[0].ask("GET", home)[0] == 200
    finally:
        residents.leave(two.api, user.namespace)


def _bind(api: Api, namespace: str, name: str) -> None:
    group = "rbac.authorization.k8s.io"
    body = {
        "apiVersion": f"{group}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "by-hand"},
        "roleRef": {"apiGroup": group, "kind": "Role", "name": "riseml-user"},
        "subjects": [{"apiGroup": group, "kind": "User", "name": name}],
    }
    api.create(path("rolebindings", namespace), body)


def test_a_person_who_leaves_a_team_loses_access(
    two: Residents, worker_id: str, tmp_path: Path
) -> None:
    name = f"isolation-{two.kind}-left-{worker_id}"
    fay = people.person(tmp_path / "fay", f"fay-{worker_id}@example.com")
    gus = people.person(tmp_path / "gus", f"gus-{worker_id}@example.com")
    both = Grant((fay.name, gus.name), has_key=False)
    user = residents.make(two.users, name, both)
    try:
        home = path("configmaps", user.namespace, "riseml")
        callers = [Caller(who.connection(user.namespace)) for who in (fay, gus)]
        assert [who.ask("GET", home)[0] for who in callers] == [200, 200]
        two.users.update(name, grant=Grant((gus.name,), has_key=False))
        assert [who.ask("GET", home)[0] for who in callers] == [403, 200]
    finally:
        residents.leave(two.api, user.namespace)


def test_a_token_that_expires_is_renewed(worker_id: str, tmp_path: Path) -> None:
    api = Api(from_kubeconfig())
    residents.define_argo(api)
    users, name = Users(api, OFFER), f"isolation-renewed-{worker_id}"
    subject = f"{OIDC_PREFIX}{name}@example.com"
    user = residents.make(users, name, Grant((subject,), has_key=False))
    try:
        kubeconfig = people.member(
            tmp_path, f"{name}@example.com", namespace=user.namespace, seconds=3
        )
        person = Api(from_kubeconfig(kubeconfig))
        home = path("configmaps", user.namespace, "riseml")
        first = person.connection.token
        end = time.monotonic() + 60
        # The API server accepts an expired token for some seconds.
        while person.connection.token == first and time.monotonic() < end:
            assert person.get(home)["data"]["user"] == name
            time.sleep(0.5)
        assert person.connection.token != first
        assert len((tmp_path / "calls").read_text().splitlines()) == 2
    finally:
        residents.leave(api, user.namespace)
