"""Checks of a user's namespace."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from riseml import labels
from riseml.cluster import JOB_ACCOUNT, SETTINGS, STORE, registry
from riseml.cluster.api import path
from riseml.cluster.store import is_ready
from riseml.doctor.check_context import ADMIN, CheckContext
from riseml.doctor.findings import Check, Outcome, checks, failed, ok, skipped, warning
from riseml.errors import NotAllowedError
from riseml.quantities import amount_of

# A controller that is well takes less
_SOON = timedelta(seconds=20)
_UPGRADE = "An administrator runs `riseml system upgrade`."
# HTTP statuses of a registry: it is open, or wants a login
_ALIVE = (200, 401)
# Percent of a volume
_FULL = 90
# Verb, resource, group, subresource: what commands do
_NEEDED = (
    ("create", "workflows", "argoproj.io", ""),
    ("patch", "workflows", "argoproj.io", ""),
    ("list", "pods", "", ""),
    ("get", "pods", "", "log"),
    ("create", "pods", "", "exec"),
    ("list", "events", "", ""),
)


def everything(site: CheckContext) -> list[Check]:
    """Return the checks; where the namespace is no user's, the others are in vain."""
    return checks(
        site, _namespace, _rights, _controller, _argo_server, _executor, _security, _pull_secrets, _store, _git,
        _claims, _space, _service, _secrets, _quota, _registry, gates=[_namespace],
    )  # fmt: skip


def _namespace(site: CheckContext) -> Outcome:
    """The namespace is a user's."""
    try:
        told = site.settings["data"]
        # It must be JSON
        site.target  # noqa: B018
    except ValueError:
        return failed(
            f"the ConfigMap {SETTINGS} of {site.namespace} cannot be read", site.anew
        )
    return ok(
        f"{site.namespace}, of {told.get('user', '?')}; {told.get('number', 0)} runs so far"
    )


def _rights(site: CheckContext) -> Outcome:
    """Your rights there."""
    missing = [
        f"{verb} {resource}{'/' + sub if sub else ''}"
        for verb, resource, group, sub in _NEEDED
        if not site.api.may(
            verb, resource, site.namespace, group=group, subresource=sub
        )
    ]
    return (
        failed(f"not allowed: {', '.join(missing)}", site.anew)
        if missing
        else ok("all that commands need")
    )


def _controller(site: CheckContext) -> Outcome:
    """Argo's controller looks after the namespace."""
    found = [each["metadata"] for each in site.items("workflows", metadata=True)]
    newest = sorted(found, key=lambda each: str(each["creationTimestamp"]))[-5:]
    late = [
        each
        for each in newest
        if labels.PHASE not in each.get("labels", {}) and _age(site, each) > _SOON
    ]
    if late:
        hint = (
            f" with the instance id {site.target.instance}"
            if site.target.instance
            else ""
        )
        fix = f"An administrator looks whether workflow-controller runs, and watches {site.namespace}{hint}."
        return failed(
            f"{late[-1]['name']} was not taken up for {int(_age(site, late[-1]).total_seconds())} seconds",
            fix,
        )
    taken = [each for each in newest if labels.PHASE in each.get("labels", {})]
    return (
        ok(f"it has taken up {taken[-1]['name']}")
        if taken
        else skipped("there is no run by which to tell")
    )


def _age(site: CheckContext, metadata: Mapping[str, Any]) -> timedelta:
    return site.now - datetime.fromisoformat(metadata["creationTimestamp"])


def _argo_server(site: CheckContext) -> Outcome:
    """The Argo Server."""
    import urllib3  # noqa: PLC0415

    url, token = site.api.connection.argo, site.api.connection.token
    if not url:
        return skipped("none is named; runs go to the Kubernetes API")
    if not token:
        return skipped(f"{url} knows tokens only, and this login is a certificate")
    try:
        headers = {"Authorization": f"Bearer {token}"}
        status = urllib3.request(
            "GET", f"{url}/api/v1/version", headers=headers, timeout=10, retries=False
        ).status
    except urllib3.exceptions.HTTPError as error:
        return failed(
            f"{url} does not answer ({type(error).__name__})",
            "Log in anew if it has moved.",
        )
    if status != 200:  # noqa: PLR2004
        return failed(
            f"{url} answers {status}",
            "It must let clients in with their own tokens: `--auth-mode client`.",
        )
    return ok(url)


def _executor(site: CheckContext) -> Outcome:
    """The rights of Argo's executor."""
    attributes = {
        "namespace": site.namespace,
        "verb": "create",
        "group": "argoproj.io",
        "resource": "workflowtaskresults",
    }
    who = f"system:serviceaccount:{site.namespace}:{JOB_ACCOUNT}"
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {"user": who, "resourceAttributes": attributes},
    }
    try:
        told = site.api.create(
            "/apis/authorization.k8s.io/v1/subjectaccessreviews", body
        )
    except NotAllowedError:
        return skipped(ADMIN)
    if not told["status"].get("allowed"):
        return failed(f"{JOB_ACCOUNT} may not write results of tasks", site.anew)
    return ok(f"{JOB_ACCOUNT} may write results of tasks")


def _security(site: CheckContext) -> Outcome:
    """Pod Security of the namespace."""
    try:
        found = site.api.get(path("namespaces", None, site.namespace))
    except NotAllowedError:
        return skipped(ADMIN)
    level = (
        found["metadata"].get("labels", {}).get("pod-security.kubernetes.io/enforce")
    )
    if level not in {"baseline", "restricted"}:
        return failed(f"the level enforced is {level or 'none'}", site.anew)
    return ok(f"the level enforced is {level}")


def _pull_secrets(site: CheckContext) -> Outcome:
    """Secrets for private registries."""
    names = site.target.pull_secrets
    if not names:
        return ok("none is named")
    try:
        missing = [
            name
            for name in names
            if site.api.find(path("secrets", site.namespace, name)) is None
        ]
    except NotAllowedError:
        return skipped(ADMIN)
    if missing:
        return failed(
            f"{site.namespace} has no {', '.join(missing)}",
            "Copy them there: `kubectl create secret docker-registry`.",
        )
    return ok(", ".join(names))


def _store(site: CheckContext) -> Outcome:
    """The store's pod."""
    pods = site.items("pods", labelSelector=f"app={STORE}")
    if any(map(is_ready, pods)):
        return ok("it is ready")
    if not pods:
        return failed("there is none", site.anew)
    waits = [
        f"{told.get('reason', '')}: {told.get('message', '')}".strip(": ")
        for each in pods[0].get("status", {}).get("containerStatuses", ())
        if (told := each.get("state", {}).get("waiting"))
    ]
    conditions = [
        str(each["message"])
        for each in pods[0].get("status", {}).get("conditions", ())
        if each.get("message")
    ]
    why = next(
        iter([*waits, *conditions]),
        pods[0].get("status", {}).get("phase", "it is not ready"),
    )
    return failed(why, "`kubectl describe pod` says more; " + site.anew)


def _git(site: CheckContext) -> Outcome:
    """Git and a shell in the store."""
    store = site.store
    if store is None:
        return skipped("the store is not ready")
    return ok(
        store.script("git --version").decode().strip().removeprefix("git version ")
    )


def _claims(site: CheckContext) -> Outcome:
    """The claims for data, output and code."""
    target = site.target
    wanted = (target.data_claim, target.output_claim, target.store_claim)
    phases = {
        each["metadata"]["name"]: each.get("status", {}).get("phase", "?")
        for each in site.items("persistentvolumeclaims")
    }
    if missing := [name for name in wanted if name not in phases]:
        return failed(f"there is no {', '.join(missing)}", site.anew)
    if unbound := [
        f"{name} is {phases[name]}" for name in wanted if phases[name] != "Bound"
    ]:
        fix = "An administrator looks at `storage` in values.yml: the class must be there, and give ReadWriteMany."
        return failed(", ".join(unbound), fix)
    return ok("all three are bound")


def _space(site: CheckContext) -> Outcome:
    """Room in the volumes."""
    store = site.store
    if store is None:
        return skipped("the store is not ready")
    lines = store.script("df -P /data /output /store").decode().splitlines()[1:]
    used = {
        line.split()[-1]: int(line.split()[-2].rstrip("%"))
        for line in lines
        if line.split()[-2].rstrip("%").isdigit()
    }
    told = ", ".join(f"{name} {share}%" for name, share in used.items())
    if any(share >= _FULL for share in used.values()):
        return warning(
            f"in use: {told}",
            "`riseml prune --older-than 14d` and `riseml rm` make room.",
        )
    return ok(f"in use: {told}")


def _service(site: CheckContext) -> Outcome:
    """The Service by which jobs find each other."""
    found = site.api.find(path("services", site.namespace, "riseml"))
    if found is None:
        return failed("there is no Service riseml", site.anew)
    if found["spec"].get("clusterIP") != "None" or not found["spec"].get(
        "publishNotReadyAddresses"
    ):
        return failed(
            "the Service riseml is not headless, or hides jobs that begin", site.anew
        )
    return ok("it is there")


def _secrets(site: CheckContext) -> Outcome:
    """The Secret that `riseml secret` writes."""
    found = site.api.find(path("secrets", site.namespace, site.target.secret))
    return (
        failed(f"there is no Secret {site.target.secret}", site.anew)
        if found is None
        else ok(f"{len(found.get('data') or ())} are set")
    )


def _quota(site: CheckContext) -> Outcome:
    """Room in the quota."""
    full, told = [], []
    for each in site.items("resourcequotas"):
        status = each.get("status", {})
        for name, hard in status.get("hard", {}).items():
            used = status.get("used", {}).get(name, "0")
            told.append(f"{name} {used} of {hard}")
            if (amount_of(used) or 0) >= (amount_of(hard) or 0):
                full.append(told[-1])
    if full:
        return warning(
            f"used up: {', '.join(full)}",
            f"New jobs wait. An administrator raises it: `riseml user update --username {site.user}`.",
        )
    return ok(", ".join(told) or "there is none")


def _registry(site: CheckContext) -> Outcome:
    """The registry for built images."""
    store, address = site.store, site.target.registry
    if store is None:
        return skipped("the store is not ready")
    answer = registry.ask(
        store, registry.url(address, insecure=site.target.insecure_registry)
    )
    if not answer.asked:
        return skipped("nothing in the store's image can ask by HTTP")
    if answer.status not in _ALIVE:
        said = f" but {answer.status}" if answer.status else ""
        return warning(
            f"{address} does not answer the store{said}",
            f"Runs with install steps cannot build. {_UPGRADE}",
        )
    return ok(address)
