"""Checks of a cluster as its user sees it, and of what only administrators may look at."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import Any

from riseml import labels
from riseml.cluster import JOB_ACCOUNT, SETTINGS, STORE, SYSTEM, belongings, installation
from riseml.cluster.api import Api, Object, path
from riseml.cluster.store import StorePod, is_ready
from riseml.doctor.findings import Check, Outcome, checks, failed, ok, skipped, warning
from riseml.errors import NotAllowedError, NotFoundError, RiseMLError
from riseml.quantities import bytes_of, cores_of

_SKEW = timedelta(seconds=30)  # Argo's times and ours are compared
_SOON = timedelta(seconds=20)  # a controller that is well takes less
_FULL = 90  # percent of a volume
_CLAIMS = ("riseml-data", "riseml-output", "riseml-store")
_NEEDED = (  # verb, resource, group, subresource: what commands do
    ("create", "workflows", "argoproj.io", ""),
    ("patch", "workflows", "argoproj.io", ""),
    ("list", "pods", "", ""),
    ("get", "pods", "", "log"),
    ("create", "pods", "", "exec"),
    ("list", "events", "", ""),
)
_ANEW = "An administrator makes it anew: `riseml user update --username {user}`."
_UPGRADE = "An administrator runs `riseml system upgrade`."
_ADMIN = "only administrators may look"


@dataclass
class Place:
    """A cluster, and a user's namespace in it."""

    api: Api
    namespace: str
    user: str
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    @cached_property
    def settings(self) -> Mapping[str, str]:
        """What the administrator has settled for the namespace.

        Raises:
            NotFoundError: it is no user's.
        """
        data: Mapping[str, str] = self.api.get(path("configmaps", self.namespace, SETTINGS)).get("data", {})
        return data

    @cached_property
    def target(self) -> Mapping[str, Any]:
        """The fields of `Target` that are not as usual."""
        told: Mapping[str, Any] = json.loads(self.settings.get("target") or "{}")
        return told

    @property
    def anew(self) -> str:
        """What helps where something of the namespace is missing."""
        return _ANEW.format(user=self.user)

    def items(self, kind: str, **query: Any) -> list[Object]:
        """Return the objects of a kind in the namespace."""
        return list(self.api.items(path(kind, self.namespace), **query))

    def store(self) -> StorePod | None:
        """Return the store, None where its pod is not ready."""
        return (
            StorePod(self.api, self.namespace)
            if any(map(is_ready, self.items("pods", labelSelector=f"app={STORE}")))
            else None
        )


def everything(place: Place) -> list[Check]:
    """Return the checks of the way to a cluster, of what administrators may see, and of the user's namespace."""
    way = checks(place, _server, _key, _clock, gates=[_server, _key])
    shared = checks(place, _system, _policies, _nodes, _version, _argo, gates=[_argo])
    own = checks(
        place, _namespace, _rights, _controller, _argo_server, _executor, _security, _pull_secrets, _store, _git,
        _claims, _space, _service, _secrets, _quota, _registry, gates=[_namespace],
    )  # fmt: skip
    return [*way, *shared, *own]


def _server(place: Place) -> Outcome:
    """The API server answers."""
    told = place.api.get("/version")
    return ok(f"Kubernetes {str(told.get('gitVersion', '?')).removeprefix('v')} at {place.api.connection.server}")


def _key(place: Place) -> Outcome:
    """The key is accepted."""
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    try:
        told = place.api.create("/apis/authentication.k8s.io/v1/selfsubjectreviews", body)
    except NotFoundError:  # before Kubernetes 1.28
        return ok("it is")
    return ok(f"as {told['status']['userInfo'].get('username', '?')}")


def _clock(place: Place) -> Outcome:
    """This machine's clock."""
    response = place.api.open("/version")
    date = response.headers.get("Date")
    response.close()
    if not date:
        return skipped("the cluster does not tell its time")
    apart = abs(datetime.now(UTC) - parsedate_to_datetime(date))
    if apart > _SKEW:
        seconds = int(apart.total_seconds())
        return warning(f"it is {seconds} seconds apart from the cluster's", "Let NTP set it: ages and kills go by it.")
    return ok("as the cluster's")


def _namespace(place: Place) -> Outcome:
    """The namespace is a user's."""
    try:
        settings = place.settings
        place.target  # noqa: B018 - it must be JSON
    except NotFoundError:
        fix = "`riseml user login` as a user; an administrator makes one with `riseml user create`."
        return failed(f"{place.namespace} has no ConfigMap {SETTINGS}", fix)
    except ValueError:
        return failed(f"the ConfigMap {SETTINGS} of {place.namespace} cannot be read", place.anew)
    return ok(f"{place.namespace}, of {settings.get('user', '?')}; {settings.get('number', 0)} runs so far")


def _rights(place: Place) -> Outcome:
    """Your rights there."""
    missing = [
        f"{verb} {resource}{'/' + sub if sub else ''}"
        for verb, resource, group, sub in _NEEDED
        if not place.api.may(verb, resource, place.namespace, group=group, subresource=sub)
    ]
    return failed(f"not allowed: {', '.join(missing)}", place.anew) if missing else ok("all that commands need")


def _argo(place: Place) -> Outcome:
    """Argo's kinds of objects."""
    try:
        place.items("workflows", metadata=True, limit=1)
    except NotFoundError:
        return failed("the cluster knows no Workflows", "An administrator installs Argo Workflows 4.1, with its CRDs.")
    return ok("the cluster knows Workflows")


def _controller(place: Place) -> Outcome:
    """Argo's controller looks after the namespace."""
    found = [each["metadata"] for each in place.items("workflows", metadata=True)]
    newest = sorted(found, key=lambda each: str(each["creationTimestamp"]))[-5:]
    late = [each for each in newest if labels.PHASE not in each.get("labels", {}) and _age(place, each) > _SOON]
    if late:
        instance = place.target.get("instance")
        hint = f" with the instance id {instance}" if instance else ""
        fix = f"An administrator looks whether workflow-controller runs, and watches {place.namespace}{hint}."
        return failed(
            f"{late[-1]['name']} was not taken up for {int(_age(place, late[-1]).total_seconds())} seconds", fix
        )
    taken = [each for each in newest if labels.PHASE in each.get("labels", {})]
    return ok(f"it has taken up {taken[-1]['name']}") if taken else skipped("there is no run by which to tell")


def _age(place: Place, metadata: Mapping[str, Any]) -> timedelta:
    return place.now - datetime.fromisoformat(metadata["creationTimestamp"])


def _argo_server(place: Place) -> Outcome:
    """The Argo Server."""
    import urllib3  # noqa: PLC0415

    url, token = place.api.connection.argo, place.api.connection.token
    if not url:
        return skipped("none is named; runs go to the Kubernetes API")
    if not token:
        return skipped(f"{url} knows tokens only, and this login is a certificate")
    try:
        headers = {"Authorization": f"Bearer {token}"}
        status = urllib3.request("GET", f"{url}/api/v1/version", headers=headers, timeout=10, retries=False).status
    except urllib3.exceptions.HTTPError as error:
        return failed(f"{url} does not answer ({type(error).__name__})", "Log in anew if it has moved.")
    if status != 200:  # noqa: PLR2004
        return failed(f"{url} answers {status}", "It must let clients in with their own tokens: `--auth-mode client`.")
    return ok(url)


def _store(place: Place) -> Outcome:
    """The store's pod."""
    pods = place.items("pods", labelSelector=f"app={STORE}")
    if any(map(is_ready, pods)):
        return ok("it is ready")
    if not pods:
        return failed("there is none", place.anew)
    waits = [
        f"{told.get('reason', '')}: {told.get('message', '')}".strip(": ")
        for each in pods[0].get("status", {}).get("containerStatuses", ())
        if (told := each.get("state", {}).get("waiting"))
    ]
    conditions = [
        str(each["message"]) for each in pods[0].get("status", {}).get("conditions", ()) if each.get("message")
    ]
    why = next(iter([*waits, *conditions]), pods[0].get("status", {}).get("phase", "it is not ready"))
    return failed(why, "`kubectl describe pod` says more; " + place.anew)


def _git(place: Place) -> Outcome:
    """Git and a shell in the store."""
    store = place.store()
    if store is None:
        return skipped("the store is not ready")
    return ok(store.script("git --version").decode().strip().removeprefix("git version "))


def _claims(place: Place) -> Outcome:
    """The claims for data, output and code."""
    phases = {
        each["metadata"]["name"]: each.get("status", {}).get("phase", "?")
        for each in place.items("persistentvolumeclaims")
    }
    if missing := [name for name in _CLAIMS if name not in phases]:
        return failed(f"there is no {', '.join(missing)}", place.anew)
    if unbound := [f"{name} is {phases[name]}" for name in _CLAIMS if phases[name] != "Bound"]:
        fix = "An administrator looks at `storage` in values.yml: the class must be there, and give ReadWriteMany."
        return failed(", ".join(unbound), fix)
    return ok("all three are bound")


def _space(place: Place) -> Outcome:
    """Room in the volumes."""
    store = place.store()
    if store is None:
        return skipped("the store is not ready")
    lines = store.script("df -P /data /output /store").decode().splitlines()[1:]
    used = {
        line.split()[-1]: int(line.split()[-2].rstrip("%")) for line in lines if line.split()[-2].rstrip("%").isdigit()
    }
    told = ", ".join(f"{name} {share}%" for name, share in used.items())
    if any(share >= _FULL for share in used.values()):
        return warning(f"in use: {told}", "`riseml prune --older-than 14d` and `riseml rm` make room.")
    return ok(f"in use: {told}")


def _service(place: Place) -> Outcome:
    """The Service by which jobs find each other."""
    found = place.api.find(path("services", place.namespace, "riseml"))
    if found is None:
        return failed("there is no Service riseml", place.anew)
    if found["spec"].get("clusterIP") != "None" or not found["spec"].get("publishNotReadyAddresses"):
        return failed("the Service riseml is not headless, or hides jobs that begin", place.anew)
    return ok("it is there")


def _secrets(place: Place) -> Outcome:
    """The Secret that `riseml secret` writes."""
    found = place.api.find(path("secrets", place.namespace, "riseml-secrets"))
    return (
        failed("there is no Secret riseml-secrets", place.anew)
        if found is None
        else ok(f"{len(found.get('data') or ())} are set")
    )


def _quota(place: Place) -> Outcome:
    """Room in the quota."""
    full, told = [], []
    for each in place.items("resourcequotas"):
        status = each.get("status", {})
        for name, hard in status.get("hard", {}).items():
            used = status.get("used", {}).get(name, "0")
            told.append(f"{name} {used} of {hard}")
            if _amount(used) >= _amount(hard):
                full.append(told[-1])
    if full:
        return warning(
            f"used up: {', '.join(full)}",
            f"New jobs wait. An administrator raises it: `riseml user update --username {place.user}`.",
        )
    return ok(", ".join(told) or "there is none")


def _amount(text: str) -> float:
    for read in (cores_of, bytes_of):
        try:
            return float(read(text))
        except (ValueError, ArithmeticError):
            continue
    return 0.0


def _registry(place: Place) -> Outcome:
    """The registry for built images."""
    store, address = place.store(), place.target.get("registry") or "registry.riseml:5000"
    if store is None:
        return skipped("the store is not ready")
    scheme = "http" if place.target.get("insecure_registry", True) else "https"
    said = store.script(_ASK, f"{scheme}://{address}/v2/").decode().strip()
    if said == "cannot":
        return skipped("nothing in the store's image can ask by HTTP")
    if said not in {"200", "401"}:
        return warning(
            f"{address} does not answer the store{f' but {said}' if said else ''}",
            "Runs with install steps cannot build. " + _UPGRADE,
        )
    return ok(address)


_ASK = """
if command -v curl > /dev/null; then curl -ks -o /dev/null -w '%{http_code}' --max-time 10 "$1" || :
elif command -v wget > /dev/null; then
  wget -T 10 -S -q -O /dev/null "$1" 2>&1 | sed -n 's/.*HTTP\\/[0-9.]* \\([0-9]*\\).*/\\1/p' | tail -n 1
elif command -v python3 > /dev/null; then python3 -c 'import sys, urllib.error as e, urllib.request as r
try: print(r.urlopen(sys.argv[1], timeout=10).status)
except e.HTTPError as error: print(error.code)
except OSError: pass' "$1"
else echo cannot; fi
"""


def _executor(place: Place) -> Outcome:
    """The rights of Argo's executor."""
    attributes = {
        "namespace": place.namespace,
        "verb": "create",
        "group": "argoproj.io",
        "resource": "workflowtaskresults",
    }
    who = f"system:serviceaccount:{place.namespace}:{JOB_ACCOUNT}"
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {"user": who, "resourceAttributes": attributes},
    }
    try:
        told = place.api.create("/apis/authorization.k8s.io/v1/subjectaccessreviews", body)
    except NotAllowedError:
        return skipped(_ADMIN)
    if not told["status"].get("allowed"):
        return failed(f"{JOB_ACCOUNT} may not write results of tasks", place.anew)
    return ok(f"{JOB_ACCOUNT} may write results of tasks")


def _system(place: Place) -> Outcome:
    """What all users share."""
    try:
        there = place.api.find(path("namespaces", None, SYSTEM))
        late = installation.not_ready(place.api) if there is not None else []
    except NotAllowedError:
        return skipped(_ADMIN)
    if there is None:
        return failed(f"there is no namespace {SYSTEM}", "`riseml system install` makes it.")
    if late:
        return failed(f"not ready: {', '.join(late)}", f"`kubectl -n {SYSTEM} describe pods` says why.")
    return ok(f"the Deployments of {SYSTEM} are ready")


def _policies(place: Place) -> Outcome:
    """The rules for users' pods and Workflows."""
    bodies = [each for each in belongings.read(belongings.POLICY) if each["kind"] == "ValidatingAdmissionPolicy"]
    try:
        missing = [each["metadata"]["name"] for each in bodies if place.api.find(_policy(each)) is None]
    except NotAllowedError:
        return skipped(_ADMIN)
    if missing:
        return failed(
            f"missing: {', '.join(missing)}", "`riseml system upgrade` puts them back; users are not kept apart."
        )
    return ok(f"{len(bodies)} are there")


def _policy(body: Object) -> str:
    return f"/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/{body['metadata']['name']}"


def _security(place: Place) -> Outcome:
    """Pod Security of the namespace."""
    try:
        found = place.api.get(path("namespaces", None, place.namespace))
    except NotAllowedError:
        return skipped(_ADMIN)
    level = found["metadata"].get("labels", {}).get("pod-security.kubernetes.io/enforce")
    if level not in {"baseline", "restricted"}:
        return failed(f"the level enforced is {level or 'none'}", place.anew)
    return ok(f"the level enforced is {level}")


def _nodes(place: Place) -> Outcome:
    """Nodes, and their GPUs."""
    resource = str(place.target.get("gpu_resource") or "nvidia.com/gpu") if _is_users(place) else "nvidia.com/gpu"
    try:
        nodes = list(place.api.items(path("nodes")))
    except NotAllowedError:
        return skipped(_ADMIN)
    ready = [each for each in nodes if _condition(each, "Ready") == "True" and not each["spec"].get("unschedulable")]
    if not ready:
        return failed("no node is ready", "`kubectl get nodes` shows them.")
    gpus = sum(int(each["status"].get("allocatable", {}).get(resource, 0)) for each in ready)
    found = f"{len(ready)} of {len(nodes)} ready, {gpus} of {resource}"
    if len(ready) < len(nodes):
        return warning(found, "`kubectl get nodes` shows which are not.")
    return ok(found)


def _is_users(place: Place) -> bool:
    try:
        return bool(place.settings)
    except RiseMLError:
        return False


def _condition(node: Object, kind: str) -> str:
    return next((str(each["status"]) for each in node["status"].get("conditions", ()) if each["type"] == kind), "")


def _pull_secrets(place: Place) -> Outcome:
    """Secrets for private registries."""
    names = place.target.get("pull_secrets") or () if _is_users(place) else ()
    if not names:
        return ok("none is named")
    try:
        missing = [name for name in names if place.api.find(path("secrets", place.namespace, name)) is None]
    except NotAllowedError:
        return skipped(_ADMIN)
    if missing:
        return failed(
            f"{place.namespace} has no {', '.join(missing)}",
            "Copy them there: `kubectl create secret docker-registry`.",
        )
    return ok(", ".join(names))


def _version(place: Place) -> Outcome:
    """The version of Argo."""
    from riseml.cluster.overview import versions  # noqa: PLC0415

    try:
        found = versions(place.api).argo
    except NotAllowedError:
        return skipped(_ADMIN)
    if not found:
        return skipped("its controller is no Deployment that tells")
    if tuple(map(int, found.split(".")[:2])) < _ARGO:
        return warning(f"Argo {found}", "RiseML is tried with 4.1.")
    return ok(f"Argo {found}")


_ARGO = (4, 0)
