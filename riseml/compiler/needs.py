"""What documents need on a cluster besides Argo, in words for whoever creates them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from riseml import labels

Object = Mapping[str, Any]

_RESULTS = "create and patch workflowtaskresults"
_PODS = "list and delete pods"


def describe(documents: Sequence[Object]) -> list[str]:
    """Return what documents need, the most important first; the Workflow is the last of them."""
    *services, document = documents
    spec = spec_of(document)
    needs = [
        "Argo Workflows 4.1 that watches the namespace",
        *_account(spec),
        *_code(spec),
        *_volumes(spec),
        *_secrets(spec),
        *_builder(spec),
    ]
    has_host_names = "subdomain" in "".join(_at(spec, "templates", "podSpecPatch"))
    if has_host_names and not services:
        needs.append(f"the headless Service {labels.SUBDOMAIN}")
    needs.append(f"images that nodes can pull: {', '.join(_images(spec))}")
    return needs


def spec_of(document: Object) -> Object:
    """Return the spec of the Workflow in a document of any kind."""
    spec: dict[str, Any] = document["spec"]
    if document["kind"] == "CronWorkflow":
        return dict(spec["workflowSpec"])
    # The jobs of a WorkflowTemplate bring their volumes and account.
    fields: dict[str, Any] = {}
    for template in spec["templates"]:
        fields.update(template)
    return {**fields, **spec}


def _at(value: Any, *keys: str) -> list[Any]:
    """Return what stands at nested keys, of each item where there is a list."""
    values = value if isinstance(value, list) else [value]
    for key in keys:
        inner: list[Any] = []
        for item in values:
            entry = item.get(key, [])
            inner += entry if isinstance(entry, list) else [entry]
        values = inner
    return values


def _account(spec: Object) -> Iterator[str]:
    account = spec.get("serviceAccountName", "default")
    # Only the end of a gang is such a template.
    ends_peers = "delete" in _at(spec, "templates", "resource", "action")
    rights = f"{_RESULTS}, and {_PODS}" if ends_peers else _RESULTS
    yield f"the service account {account}, which may {rights}"
    for executor in _at(spec, "executor", "serviceAccountName"):
        yield f"the Secret {executor}.service-account-token with its token"


def _containers(spec: Object) -> list[Object]:
    return [
        *_at(spec, "templates", "initContainers"),
        *_at(spec, "templates", "container"),
    ]


def _variables(spec: Object, name: str) -> list[str]:
    """Return the values that containers have for a variable, without repetition."""
    variables = _at(_containers(spec), "env")
    values = [entry.get("value", "") for entry in variables if entry["name"] == name]
    return list(dict.fromkeys(values))


def _code(spec: Object) -> Iterator[str]:
    repositories = _variables(spec, "REPOSITORY")
    if not repositories:
        return
    revision = _variables(spec, "REVISION")[0]
    if revision:
        yield f"the commit {revision} in {repositories[0]} of the store"
    else:
        yield "code, which the document does not have: write --git URL, or --standalone"


def _volumes(spec: Object) -> Iterator[str]:
    claims = _at(spec, "volumes", "persistentVolumeClaim", "claimName")
    if claims:
        yield f"the claims {', '.join(claims)}"
    for claim in _at(spec, "volumeClaimTemplates", "spec"):
        size = claim["resources"]["requests"]["storage"]
        yield (
            f"a default StorageClass that provides {size}, {claim['accessModes'][0]},"
            " for a claim that Argo deletes once the run has succeeded"
        )
    if _at(spec, "templates", "outputs", "artifacts"):
        yield "an artifact repository, which Argo is configured with"


def _secrets(spec: Object) -> Iterator[str]:
    secrets: dict[str, list[str]] = {}
    for secret in _at(spec, "volumes", "secret"):
        if not secret.get("optional"):
            secrets[secret["secretName"]] = []
    for name in _at(spec, "imagePullSecrets", "name"):
        secrets[name] = []
    for variable in _at(_containers(spec), "env", "valueFrom", "secretKeyRef"):
        secrets.setdefault(variable["name"], []).append(variable["key"])
    for name, keys in secrets.items():
        words = [f"the Secret {name}", ", ".join(dict.fromkeys(keys))]
        yield " with ".join(filter(None, words))


def _builder(spec: Object) -> Iterator[str]:
    images = _variables(spec, "IMAGE_NAME")
    for address in _variables(spec, "BUILDKIT_HOST"):
        registry = images[0].partition("/")[0]
        yield f"BuildKit at {address} and the registry {registry}, for the install steps"


def _images(spec: Object) -> list[str]:
    """Return the images of all containers; that of install steps has no name yet."""
    images = dict.fromkeys(_at(_containers(spec), "image"))
    return [image for image in images if "{{" not in image]
