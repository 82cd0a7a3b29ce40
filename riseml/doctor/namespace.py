"""Checks of a user's namespace."""

from collections.abc import Iterator
from decimal import Decimal

from riseml.cluster import JOB_ACCOUNT, SETTINGS, STORE, argo_server, registry
from riseml.cluster.api import Object, name_of, path
from riseml.cluster.connection import Connection
from riseml.cluster.store import is_ready
from riseml.doctor import argo, shared, volumes
from riseml.doctor.check_context import CheckContext, for_administrators
from riseml.doctor.findings import Check, Outcome, checks, failed, ok, skipped, warning
from riseml.excerpts import listed
from riseml.quantities import amount_of

_NEWEST_RUNS = 5
_HTTP_OK, _UNAUTHORIZED = 200, 401
# A registry that requires a login answers 401: it is reachable.
_REGISTRY_ALIVE = (200, 401)
_POD_SECURITY = "pod-security.kubernetes.io/enforce"
# Verb, resource, group and subresource of the requests that commands send.
_REQUIRED_RIGHTS = (
    ("create", "workflows", "argoproj.io", ""),
    ("patch", "workflows", "argoproj.io", ""),
    ("list", "pods", "", ""),
    ("get", "pods", "", "log"),
    ("create", "pods", "", "exec"),
    ("list", "events", "", ""),
)


def all_checks(context: CheckContext) -> list[Check]:
    """Return the checks; all others are skipped if the namespace is not a user's."""
    functions = (
        _namespace,
        _rights,
        _controller,
        _argo_server,
        _executor,
        _security,
        _pull_secrets,
        _store,
        _git,
        volumes.claims,
        volumes.access,
        volumes.outputs,
        volumes.space,
        _service,
        _secrets,
        _quota,
        _registry,
    )
    return checks(context, *functions, gates=[_namespace])


def _namespace(context: CheckContext) -> Outcome:
    """The namespace belongs to a user."""
    data = context.settings["data"]
    try:
        # Reading the property parses the JSON of the ConfigMap.
        context.target  # noqa: B018
    except ValueError:
        return failed(
            f"the ConfigMap {SETTINGS} of {context.namespace} is not valid JSON",
            context.recreate_advice,
        )
    user, runs = data.get("user", "?"), data.get("number", 0)
    return ok(f"{context.namespace} of {user}; {runs} runs so far")


def _rights(context: CheckContext) -> Outcome:
    """Your rights in the namespace."""
    missing = []
    for verb, resource, group, subresource in _REQUIRED_RIGHTS:
        if not context.api.may(
            verb, resource, context.namespace, group=group, subresource=subresource
        ):
            suffix = f"/{subresource}" if subresource else ""
            missing.append(f"{verb} {resource}{suffix}")
    if missing:
        return failed(f"not allowed: {', '.join(missing)}", context.recreate_advice)
    return ok("everything that commands need")


def _controller(context: CheckContext) -> Outcome:
    """Argo's controller watches the namespace."""
    runs = sorted(context.items("workflows", metadata=True), key=argo.creation_time)
    newest = runs[-_NEWEST_RUNS:]
    for run in reversed(newest):
        age = context.now - argo.creation_time(run)
        if not argo.has_phase(run) and age > argo.CONTROLLER_DELAY:
            return _unwatched(context, name_of(run), int(age.total_seconds()))
    processed = list(filter(argo.has_phase, newest))
    if not processed:
        return skipped("there is no run yet that could show it")
    return ok(f"it processes {name_of(processed[-1])}")


def _unwatched(context: CheckContext, run: str, seconds: int) -> Outcome:
    instance = context.target.instance
    suffix = f" with the instance id {instance}" if instance else ""
    return failed(
        f"{run} has waited {seconds} seconds for the controller",
        f"An administrator checks that workflow-controller runs and watches {context.namespace}{suffix}.",
    )


def _argo_server(context: CheckContext) -> Outcome:
    """The Argo Server."""
    import urllib3  # noqa: PLC0415

    connection = context.api.connection
    url, token = connection.argo, argo_server.token(connection)
    if not url:
        return skipped("none is configured; runs go to the Kubernetes API")
    # An Argo Server identifies users by their tokens, not by client certificates.
    if not token:
        return skipped(
            f"{url} accepts tokens only, and this login is a certificate; "
            f"{argo_server.TOKEN} may have one"
        )
    try:
        response = urllib3.request(
            "GET",
            f"{url}/api/v1/version",
            headers={"Authorization": f"Bearer {token}"},
            timeout=10,
            retries=False,
        )
    except urllib3.exceptions.HTTPError as error:
        return failed(
            f"{url} does not answer ({type(error).__name__})",
            "If it has moved, log in again with `riseml user login`.",
        )
    return _argo_answer(connection, response.status, response.data)


def _argo_answer(connection: Connection, status: int, body: bytes) -> Outcome:
    url = connection.argo
    if status == _UNAUTHORIZED and argo_server.uses_own_token(connection):
        return failed(
            f"{url} does not accept the token of {argo_server.TOKEN}",
            f"It may have expired. {url}/userinfo shows a new one.",
        )
    if status != _HTTP_OK:
        return failed(
            f"{url} answers {status}",
            "An administrator starts it with `--auth-mode client`, so that it accepts users' tokens.",
        )
    if not body.startswith(b"{"):
        return failed(f"{url} answers with a web page", argo_server.PATH_ADVICE)
    return ok(url)


@for_administrators
def _executor(context: CheckContext) -> Outcome:
    """The rights of Argo's executor."""
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "user": f"system:serviceaccount:{context.namespace}:{JOB_ACCOUNT}",
            "resourceAttributes": {
                "namespace": context.namespace,
                "verb": "create",
                "group": "argoproj.io",
                "resource": "workflowtaskresults",
            },
        },
    }
    review = context.api.create(
        "/apis/authorization.k8s.io/v1/subjectaccessreviews", body
    )
    if not review["status"].get("allowed"):
        return failed(
            f"{JOB_ACCOUNT} may not create workflowtaskresults", context.recreate_advice
        )
    return ok(f"{JOB_ACCOUNT} may create workflowtaskresults")


@for_administrators
def _security(context: CheckContext) -> Outcome:
    """Pod Security of the namespace."""
    namespace = context.api.get(path("namespaces", None, context.namespace))
    level = namespace["metadata"].get("labels", {}).get(_POD_SECURITY)
    # The policies for users' pods rely on the rules of this level.
    if level not in {"baseline", "restricted"}:
        return failed(
            f"the enforced level is {level or 'none'}", context.recreate_advice
        )
    return ok(f"the enforced level is {level}")


@for_administrators
def _pull_secrets(context: CheckContext) -> Outcome:
    """Secrets for private registries."""
    # Users may read no Secret except `riseml-secrets`.
    names = context.target.pull_secrets
    missing = shared.missing_secrets(context.api, context.namespace, names)
    if missing:
        return failed(
            f"{context.namespace} has no Secret {', '.join(missing)}",
            "An administrator creates it there with `kubectl create secret docker-registry`.",
        )
    return ok(listed(names, "none is configured"))


def _store(context: CheckContext) -> Outcome:
    """The store's pod."""
    pods = context.items("pods", labelSelector=f"app={STORE}")
    if any(map(is_ready, pods)):
        return ok("it is ready")
    if not pods:
        return failed("there is none", context.recreate_advice)
    reasons = list(_pending_reasons(pods[0].get("status", {})))
    return failed(
        reasons[0],
        f"`kubectl describe pod` shows more. {context.recreate_advice}",
    )


def _pending_reasons(status: Object) -> Iterator[str]:
    """Yield why a pod is not ready, the most specific reason first."""
    for container in status.get("containerStatuses", ()):
        waiting = container.get("state", {}).get("waiting")
        if waiting:
            reason = f"{waiting.get('reason', '')}: {waiting.get('message', '')}"
            yield reason.strip(": ")
    for condition in status.get("conditions", ()):
        if condition.get("message"):
            yield str(condition["message"])
    yield status.get("phase", "it is not ready")


def _git(context: CheckContext) -> Outcome:
    """Git and a shell in the store."""
    if context.store is None:
        return skipped(volumes.NOT_READY)
    version = context.store.script("git --version").decode().strip()
    return ok(version.removeprefix("git version "))


def _service(context: CheckContext) -> Outcome:
    """The Service that gives jobs their host names."""
    service = context.api.find(path("services", context.namespace, "riseml"))
    if service is None:
        return failed("there is no Service riseml", context.recreate_advice)
    spec = service["spec"]
    # Jobs look each other up before they are ready.
    if spec.get("clusterIP") != "None" or not spec.get("publishNotReadyAddresses"):
        return failed(
            "the Service riseml is not headless, or hides jobs that are starting",
            context.recreate_advice,
        )
    return ok("it exists")


def _secrets(context: CheckContext) -> Outcome:
    """The Secret that `riseml secret` writes."""
    name = context.target.secret
    secret = context.api.find(path("secrets", context.namespace, name))
    if secret is None:
        return failed(f"there is no Secret {name}", context.recreate_advice)
    return ok(f"{len(secret.get('data') or ())} are set")


def _quota(context: CheckContext) -> Outcome:
    """Room in the quota."""
    usage, full = [], []
    for name, used, limit in _limits(context):
        detail = f"{name} {used} of {limit}"
        usage.append(detail)
        if _amount(used) >= _amount(limit):
            full.append(detail)
    if full:
        return warning(
            f"used up: {', '.join(full)}",
            "New jobs wait. An administrator can raise the quota:"
            f" `riseml user update --username {context.user}`.",
        )
    return ok(listed(usage, "there is none"))


def _limits(context: CheckContext) -> Iterator[tuple[str, str, str]]:
    """Yield each limited resource with what is used of it, and its limit."""
    for quota in context.items("resourcequotas"):
        status = quota.get("status", {})
        used = status.get("used", {})
        for name, limit in status.get("hard", {}).items():
            yield name, used.get(name, "0"), limit


def _amount(text: str) -> Decimal:
    """Return a quantity as a number, 0 if it is none."""
    return amount_of(text) or Decimal(0)


def _registry(context: CheckContext) -> Outcome:
    """The registry for built images."""
    if not context.target.builds:
        return skipped("this cluster builds no images")
    if context.store is None:
        return skipped(volumes.NOT_READY)
    address = context.target.registry
    url = registry.url(address, insecure=context.target.insecure_registry)
    answer = registry.ask(context.store, url)
    if not answer.has_client:
        return skipped("the store's image contains no HTTP client")
    if answer.status in _REGISTRY_ALIVE:
        return ok(address)
    detail = f"{address} does not answer the store"
    if answer.status:
        detail = f"{address} answers the store with {answer.status}"
    return warning(
        detail,
        "Runs with install steps cannot build their images. An administrator runs `riseml system upgrade`.",
    )
