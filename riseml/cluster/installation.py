"""What an administrator installs once: the objects of `argo/system`, with the values of the installation.

    Values ──objects──▶ [Object] ──plan──▶ [Step] ──shown, agreed──▶ apply        remove takes the same objects away

A plan asks the cluster itself what applying would change (dry run), so it shows what will happen and nothing else.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import yaml

from riseml import labels
from riseml.cluster import SYSTEM, certificates, namespace_objects
from riseml.cluster.api import Api, Object, path, path_of
from riseml.cluster.values import Values, kept, shipped
from riseml.errors import InvalidInputError, NotFoundError

PART = "app.kubernetes.io/part-of"
_FILES = ("namespace.yaml", "rights.yaml", "buildkit.yaml", "registry.yaml")
_PARTS = {
    "buildkit.yaml": "buildkit",
    "registry.yaml": "registry",
}  # file: the section of the values that says `deploy`
_OWN = frozenset(
    {"managedFields", "resourceVersion", "generation", "creationTimestamp", "uid"}
)


@dataclass(frozen=True)
class Step:
    """One object and what becomes of it: `created`, `changed` (then `fields` says what), `unchanged` or `removed`."""

    body: Object
    outcome: str
    fields: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Kind, namespace and name, for people."""
        metadata = self.body["metadata"]
        place = f"{metadata['namespace']}/" if metadata.get("namespace") else ""
        return f"{self.body['kind']} {place}{metadata['name']}"


def objects(values: Values) -> list[Object]:
    """Return what is to be there, but for certificates."""
    found: list[Object] = []
    for file in _FILES:
        if file not in _PARTS or values[_PARTS[file]]["deploy"]:
            found += (_adapted(body, values) for body in _read(file))
    found += [_marked(kept(values)), *namespace_objects.read(namespace_objects.POLICY)]
    if values["argo"]["configure"]:
        found.append(argo_settings(values))
    return found


def argo_settings(values: Values) -> Object:
    """Return what Argo's controller must be told, as its ConfigMap says it."""
    argo = values["argo"]
    told = {
        key: yaml.safe_dump(argo[key])
        for key in ("executor", "nodeEvents", "workflowEvents")
        if argo[key]
    }
    if argo["instanceId"]:
        told["instanceID"] = argo["instanceId"]
    metadata = {"name": argo["configMap"], "namespace": argo["namespace"]}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": told}


def plan(api: Api, values: Values, now: datetime) -> list[Step]:
    """Return what installing would do; the certificates' Secrets are without their data.

    Raises:
        InvalidInputError: Argo's ConfigMap, which is to be changed, is written in another way.
    """
    _check_argo(api, values)
    wanted = objects(values)
    steps = [_step(api, body) for body in wanted]
    if values["buildkit"]["deploy"] and certificates.are_due(api, now):
        for name in (certificates.SERVER, certificates.CLIENT):
            body = {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": name, "namespace": SYSTEM},
            }
            is_there = api.find(path("secrets", SYSTEM, name)) is not None
            steps.append(
                Step(
                    body,
                    "changed" if is_there else "created",
                    ("data",) if is_there else (),
                )
            )
    return [*steps, *_superfluous(api, wanted)]


def apply(api: Api, values: Values, steps: Sequence[Step], now: datetime) -> None:
    """Do what a plan says."""
    for step in steps:
        if step.outcome == "removed":
            api.delete(path_of(step.body), propagationPolicy="Background")
        elif step.outcome != "unchanged" and step.body["kind"] != "Secret":
            api.apply(step.body)
        if step.body["kind"] == "Namespace" and any(
            each.body["kind"] == "Secret" for each in steps
        ):
            # Before the pod that mounts them
            for body in certificates.secrets(now):
                api.apply(_marked(body))
            api.delete(
                path("pods", SYSTEM), query={"labelSelector": "app=buildkitd"}
            )  # has read the former ones
    if values["buildkit"]["deploy"]:
        certificates.distribute(api)


def not_ready(api: Api) -> list[str]:
    """Return the names of Deployments of the system that do not serve."""
    found = api.items(path("deployments", SYSTEM))
    return [
        each["metadata"]["name"]
        for each in found
        if not each.get("status", {}).get("availableReplicas")
    ]


def users_there(api: Api) -> list[str]:
    """Return the namespaces of users."""
    return [
        each["metadata"]["name"]
        for each in api.items(
            path("namespaces"), metadata=True, labelSelector=labels.USER
        )
    ]


def removable(api: Api, *, users: bool) -> list[Object]:
    """Return what uninstalling removes, users' namespaces first.

    The policy over users' pods stays as long as there are users: without it they could read each other's tokens.
    """
    places = users_there(api)
    found: list[Object] = []
    if users:
        found += (
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": place}}
            for place in places
        )
    if users or not places:
        found += namespace_objects.read(namespace_objects.POLICY)
    found += (
        body for body in _read("rights.yaml") if "namespace" not in body["metadata"]
    )
    # Takes everything in it along
    found += _read("namespace.yaml")
    return [body for body in found if api.find(path_of(body)) is not None]


def remove(api: Api, bodies: Sequence[Object]) -> None:
    """Remove objects."""
    for body in bodies:
        api.delete(path_of(body), propagationPolicy="Background")


def _read(file: str) -> list[Object]:
    text = (shipped() / "system" / file).read_text("utf-8")
    return [_marked(body) for body in yaml.safe_load_all(text)]


def _marked(body: Object) -> Object:
    metadata = body["metadata"]
    return {
        **body,
        "metadata": {
            **metadata,
            "labels": {**metadata.get("labels", {}), PART: "riseml"},
        },
    }


def _adapted(body: Object, values: Values) -> Object:
    name, kind = body["metadata"]["name"], body["kind"]
    if kind == "Deployment":
        pod = body["spec"]["template"]["spec"]
        section = values["buildkit" if name == "buildkitd" else "registry"]
        pod["containers"][0]["image"] = section["image"]
        selector = values["nodeSelectors"]["build" if name == "buildkitd" else "system"]
        settled = {"nodeSelector": selector, "tolerations": values["tolerations"]}
        pod |= {key: value for key, value in settled.items() if value}
        if values["imagePullSecrets"]:
            pod["imagePullSecrets"] = [
                {"name": each} for each in values["imagePullSecrets"]
            ]
        if name == "buildkitd":
            _adapt_buildkit(pod, section)
            digest = hashlib.sha256(_configuration(values).encode()).hexdigest()[:16]
            body["spec"]["template"]["metadata"]["annotations"][
                "riseml.io/configuration"
            ] = digest  # restarts it
    elif kind == "ConfigMap":
        body["data"]["buildkitd.toml"] = _configuration(values)
    elif kind == "PersistentVolumeClaim":
        body["spec"]["resources"]["requests"]["storage"] = values["registry"]["size"]
        if values["registry"]["storageClass"] is not None:
            body["spec"]["storageClassName"] = values["registry"]["storageClass"]
    elif kind == "Service" and name == "registry":
        body["spec"]["ports"][0]["nodePort"] = values["registry"]["nodePort"]
    return body


def _configuration(values: Values) -> str:
    registry = values["registry"]
    return (
        f'[registry."{registry["address"]}"]\n  http = true\n'
        if registry["insecure"]
        else ""
    )


def _adapt_buildkit(pod: Object, section: Mapping[str, Any]) -> None:
    (container,) = pod["containers"]
    if not section["rootless"]:
        container["securityContext"] = {"privileged": True}
        container["args"].remove("--oci-worker-no-process-sandbox")
        (cache,) = (
            each for each in container["volumeMounts"] if each["name"] == "cache"
        )
        cache["mountPath"] = "/var/lib/buildkit"
    container["args"] += section["arguments"]
    if section["command"]:
        container["command"] = section["command"]


def _check_argo(api: Api, values: Values) -> None:
    argo = values["argo"]
    if not argo["configure"]:
        return
    found = api.find(path("configmaps", argo["namespace"], argo["configMap"]))
    if found and "config" in found.get("data", {}):
        raise InvalidInputError(
            f"the ConfigMap {argo['configMap']} of the namespace {argo['namespace']} has its settings under `config`",
            "Write RiseML's there by hand (argo/README.md), and set argo.configure to false.",
        )


def _step(api: Api, body: Object) -> Step:
    before = api.find(path_of(body))
    if before is None:
        return Step(body, "created")
    try:
        after = api.apply(body, dry_run=True)
    except NotFoundError:
        # Its namespace is not there yet
        return Step(body, "created")
    fields = tuple(differences(before, after))
    return Step(body, "changed" if fields else "unchanged", fields)


def differences(before: Any, after: Any, at: str = "") -> Iterator[str]:
    """Yield where two objects differ: `spec.replicas`."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted({*before, *after}):
            if not (at in {"", "metadata."} and key in _OWN | {"status"}):
                yield from differences(before.get(key), after.get(key), f"{at}{key}.")
    elif (
        isinstance(before, list)
        and isinstance(after, list)
        and len(before) == len(after)
    ):
        for index, pair in enumerate(zip(before, after, strict=True)):
            yield from differences(*pair, f"{at}{index}.")
    elif before != after:
        yield at.removesuffix(".")


def _superfluous(api: Api, wanted: Sequence[Object]) -> list[Step]:
    """Return what an earlier installation has made and this one does without; claims stay, with what is in them."""
    there = {path_of(body) for body in wanted}
    steps = []
    for file in _PARTS:
        for body in _read(file):
            if body["kind"] == "PersistentVolumeClaim" or path_of(body) in there:
                continue
            found = api.find(path_of(body))
            if found and found["metadata"].get("labels", {}).get(PART) == "riseml":
                steps.append(Step(body, "removed"))
    return steps
