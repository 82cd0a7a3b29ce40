"""Installation of RiseML on a cluster: the objects of `argo/system`, with its values.

    Values ──objects──▶ [Object] ──plan──▶ [Step] ──shown, confirmed──▶ apply

    removable ──▶ [Object] ──shown, confirmed──▶ remove

A plan asks the cluster itself what applying would change (dry run). It therefore shows
exactly what will happen.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from itertools import chain
from typing import Any

import yaml

from riseml import labels
from riseml.cluster import (
    SYSTEM,
    buildkit,
    certificates,
    egress_values,
    namespace_objects,
    pull_secrets,
    shipped_files,
)
from riseml.cluster.api import Api, Object, data_of, name_of, path, path_of
from riseml.cluster.api_errors import RefusedError
from riseml.cluster.values import Values, config_map
from riseml.dataclass import dataclass
from riseml.errors import (
    InvalidInputError,
    NotAllowedError,
    NotFoundError,
    RiseMLError,
)

PART_OF = "app.kubernetes.io/part-of"
_FILES = ("namespace.yaml", "rights.yaml", "buildkit.yaml", "registry.yaml")
# Sections of the values whose `deploy` says whether a file is applied.
_OPTIONAL_FILES = {"buildkit.yaml": "buildkit", "registry.yaml": "registry"}
# Sections of the values, and of `nodeSelectors`, for each Deployment.
_DEPLOYMENTS = {"buildkitd": ("buildkit", "build"), "registry": ("registry", "system")}
_USER = re.compile(r'^User "[^"]*" ')
# The API server changes these fields by itself.
_SERVER_FIELDS = frozenset({
    "managedFields", "resourceVersion", "generation", "creationTimestamp", "uid", "status",
})  # fmt: skip
REFUSED = "refused"
"""Outcome of an object that the cluster does not accept, or not from this user."""


@dataclass(frozen=True)
class Step:
    """One object, and its outcome: `created`, `changed`, `unchanged`, `removed` or `refused`.

    `fields` names what changes, and `reason` says why the cluster refuses the object.
    """

    body: Object
    outcome: str
    fields: tuple[str, ...] = ()
    reason: str = ""

    @property
    def is_change(self) -> bool:
        """Whether the cluster is different afterwards."""
        return self.outcome not in {"unchanged", REFUSED}

    @property
    def name(self) -> str:
        """The kind, namespace and name, for people."""
        metadata = self.body["metadata"]
        names = filter(None, (metadata.get("namespace"), metadata["name"]))
        return f"{self.body['kind']} {'/'.join(names)}"


def objects(values: Values) -> list[Object]:
    """Return the objects of an installation, without the certificates."""
    bodies: list[Object] = []
    for file in _FILES:
        section = _OPTIONAL_FILES.get(file)
        if section is None or values.deploys(section):
            bodies += [_adapted(body, values) for body in _read(file)]
    bodies.append(_labeled(config_map(values)))
    if values.authorities and values.deploys("buildkit"):
        body = egress_values.config_map(values.authorities)
        bodies.append(_labeled(_in_system(body)))
    bodies += namespace_objects.read(namespace_objects.POLICY)
    if values["argo"]["configure"]:
        bodies.append(argo_settings(values))
    return bodies


def _in_system(body: Object) -> Object:
    return {**body, "metadata": {**body["metadata"], "namespace": SYSTEM}}


def argo_settings(values: Values) -> Object:
    """Return the ConfigMap of Argo's controller with the settings of the values."""
    argo = values["argo"]
    data = {}
    for key in filter(argo.get, ("executor", "nodeEvents", "workflowEvents")):
        data[key] = yaml.safe_dump(argo[key])
    if argo["instanceId"]:
        data["instanceID"] = argo["instanceId"]
    metadata = {"name": argo["configMap"], "namespace": argo["namespace"]}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def plan(api: Api, values: Values, now: datetime) -> list[Step]:
    """Return the steps of an installation; the certificates' Secrets have no data.

    Raises:
        InvalidInputError: Argo's ConfigMap has a format that RiseML cannot change.
    """
    bodies = objects(values)
    steps = [_step(api, body) for body in bodies]
    # Who may not read Argo's ConfigMap or the Secrets gets refused steps for them.
    with suppress(NotAllowedError):
        _check_argo(api, values)
    if values.deploys("buildkit"):
        steps += _certificate_steps(api, now)
    with suppress(NotAllowedError):
        steps += _removals(api, bodies)
    return steps


def apply(api: Api, values: Values, steps: Sequence[Step], now: datetime) -> None:
    """Execute the steps of a plan."""
    kinds = {step.body["kind"] for step in steps}
    for step in steps:
        _execute(api, step)
        # The Secrets need the namespace, and BuildKit's pod needs the Secrets.
        if step.body["kind"] == "Namespace" and "Secret" in kinds:
            _renew_certificates(api, now)
    if values.deploys("buildkit"):
        certificates.distribute(api)
    pull_secrets.distribute(api, values["imagePullSecrets"])


def _execute(api: Api, step: Step) -> None:
    # `_renew_certificates` applies the Secrets.
    if step.outcome == "unchanged" or step.body["kind"] == "Secret":
        return
    if step.outcome == "removed":
        remove(api, [step.body])
    else:
        api.apply(step.body)


def not_ready(api: Api) -> list[str]:
    """Return the names of the system's Deployments that have no available pod."""
    names = []
    for deployment in api.items(path("deployments", SYSTEM)):
        if not deployment.get("status", {}).get("availableReplicas"):
            names.append(deployment["metadata"]["name"])
    return names


def user_namespaces(api: Api) -> list[str]:
    """Return the names of users' namespaces."""
    namespaces = api.items(path("namespaces"), metadata=True, labelSelector=labels.USER)
    return list(map(name_of, namespaces))


def removable(api: Api, *, users: bool) -> list[Object]:
    """Return the objects that uninstalling removes, users' namespaces first.

    The policies for users' pods remain as long as there are users: without them, users
    could read each other's tokens.
    """
    namespaces = user_namespaces(api)
    bodies: list[Object] = []
    if users:
        bodies += map(_namespace, namespaces)
    if users or not namespaces:
        bodies += namespace_objects.read(namespace_objects.POLICY)
    # Deleting the namespace deletes all objects in it; rights belong to the cluster.
    bodies += [*_read("rights.yaml"), *_read("namespace.yaml")]
    return [body for body in bodies if api.find(path_of(body)) is not None]


def _namespace(name: str) -> Object:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def remove(api: Api, bodies: Sequence[Object]) -> None:
    """Delete objects, and in the background those that depend on them."""
    for body in bodies:
        api.delete(path_of(body), propagationPolicy="Background")


def differences(current: Any, desired: Any, prefix: str = "") -> Iterator[str]:
    """Yield the fields in which two objects differ, such as `spec.replicas`."""
    if current == desired:
        return
    match current, desired:
        case dict(), dict():
            ignored = _SERVER_FIELDS if prefix in {"", "metadata."} else frozenset()
            for key in sorted({*current, *desired} - ignored):
                old, new = current.get(key), desired.get(key)
                yield from differences(old, new, f"{prefix}{key}.")
        case list(), list() if len(current) == len(desired):
            for index, (old, new) in enumerate(zip(current, desired, strict=True)):
                yield from differences(old, new, f"{prefix}{index}.")
        case _:
            yield prefix.removesuffix(".")


def _read(file: str) -> list[Object]:
    return list(map(_labeled, shipped_files.documents(f"system/{file}")))


def _labeled(body: Object) -> Object:
    """Return an object with the label by which an upgrade recognizes RiseML's own."""
    all_labels = {**_labels(body), PART_OF: "riseml"}
    return {**body, "metadata": {**body["metadata"], "labels": all_labels}}


def _adapted(body: Object, values: Values) -> Object:
    """Return an object of a file, with the values of the installation."""
    name, registry = body["metadata"]["name"], values["registry"]
    match body["kind"]:
        case "Deployment":
            _adapt_deployment(body, values)
        case "ConfigMap":
            body["data"]["buildkitd.toml"] = buildkit.configuration(values)
        case "PersistentVolumeClaim":
            body["spec"]["resources"]["requests"]["storage"] = registry["size"]
            if registry["storageClass"] is not None:
                body["spec"]["storageClassName"] = registry["storageClass"]
        case "Service" if name == "registry":
            body["spec"]["ports"][0]["nodePort"] = registry["nodePort"]
    return body


def _adapt_deployment(body: Object, values: Values) -> None:
    name = body["metadata"]["name"]
    section, selector = _DEPLOYMENTS[name]
    template = body["spec"]["template"]
    pod = template["spec"]
    pod["containers"][0]["image"] = values[section]["image"]
    optional_fields = {
        "nodeSelector": values["nodeSelectors"][selector],
        "tolerations": values["tolerations"],
        "imagePullSecrets": [{"name": name} for name in values["imagePullSecrets"]],
    }
    for field, value in optional_fields.items():
        if value:
            pod[field] = value
    if name == "buildkitd":
        buildkit.adapt(template, values)


def _check_argo(api: Api, values: Values) -> None:
    argo = values["argo"]
    if not argo["configure"]:
        return
    name, namespace = argo["configMap"], argo["namespace"]
    # Argo does not start if there is another key beside this one.
    if "config" in data_of(api, path("configmaps", namespace, name)):
        raise InvalidInputError(
            f"the ConfigMap {name} of the namespace {namespace} contains its settings under `config`",
            "Add RiseML's settings there by hand (argo/system/README.md), and set argo.configure to false.",
        )


def _step(api: Api, body: Object) -> Step:
    try:
        return _planned(api, body)
    except (NotAllowedError, RefusedError) as error:
        return Step(body, REFUSED, reason=_reason(error))


def _planned(api: Api, body: Object) -> Step:
    existing = api.find(path_of(body))
    try:
        applied = api.apply(body, dry_run=True)
    except NotFoundError:
        # A dry run fails for objects of a namespace that does not exist yet.
        _check_node_port(api, body)
        return Step(body, "created")
    if existing is None:
        return Step(body, "created")
    fields = tuple(differences(existing, applied))
    return Step(body, "changed" if fields else "unchanged", fields)


def _check_node_port(api: Api, body: Object) -> None:
    """Try a Service in another namespace: its node port belongs to the whole cluster.

    Raises:
        RefusedError: another Service has the node port, or the cluster allows none.
    """
    if body["kind"] == "Service":
        metadata = {**body["metadata"], "namespace": "default"}
        with suppress(NotAllowedError, NotFoundError):
            api.apply({**body, "metadata": metadata}, dry_run=True)


def _certificate_steps(api: Api, now: datetime) -> list[Step]:
    bodies = [
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "namespace": SYSTEM},
        }
        for name in (certificates.SERVER, certificates.CLIENT)
    ]
    try:
        if not certificates.are_due(api, now):
            return []
        return [_certificate_step(api, body) for body in bodies]
    except NotAllowedError as error:
        return [Step(body, REFUSED, reason=_reason(error)) for body in bodies]


def _certificate_step(api: Api, body: Object) -> Step:
    if api.find(path_of(body)) is None:
        return Step(body, "created")
    return Step(body, "changed", ("data",))


def _reason(error: RiseMLError) -> str:
    """Return the cluster's words without the object's and the user's names."""
    text = str(error).removeprefix("not allowed: ")
    return _USER.sub("you ", text.partition(" is forbidden: ")[2] or text)


def _renew_certificates(api: Api, now: datetime) -> None:
    for body in certificates.secrets(now):
        api.apply(_labeled(body))
    # A running pod has read the old certificates; its Deployment starts another one.
    selector = {"labelSelector": "app=buildkitd"}
    api.delete(path("pods", SYSTEM), query=selector)


def _removals(api: Api, bodies: Sequence[Object]) -> list[Step]:
    """Return the steps for objects of an earlier installation that are not needed now.

    Claims remain, with the files in them.
    """
    needed = set(map(path_of, bodies))
    optional = chain.from_iterable(map(_read, _OPTIONAL_FILES))
    steps = []
    for body in optional:
        url_path = path_of(body)
        if body["kind"] == "PersistentVolumeClaim" or url_path in needed:
            continue
        # An administrator may have created a registry of the same name.
        if _labels(api.find(url_path)).get(PART_OF) == "riseml":
            steps.append(Step(body, "removed"))
    return steps


def _labels(body: Object | None) -> Mapping[str, str]:
    """Return the labels of an object, none if it does not exist."""
    if body is None:
        return {}
    labels_of_body: Mapping[str, str] = body["metadata"].get("labels", {})
    return labels_of_body
