"""Objects of a user's namespace: the files of `argo/user`, adapted to the user."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from riseml import labels
from riseml.cluster import (
    ARGO_SERVER,
    SETTINGS,
    egress_values,
    namespace_of,
    queue_values,
    shipped_files,
)
from riseml.cluster.api import Object
from riseml.dataclass import dataclass, field
from riseml.errors import InvalidInputError
from riseml.plan import Volume
from riseml.quantities import bytes_of, cores_of, cores_text, memory_text

EMAIL, ENABLED = "riseml.io/email", "riseml.io/enabled"
"""Annotations of the namespace."""

QUOTA = "riseml"
POLICY = "policy.yaml"
"""File of the policies, which exist once for the whole cluster."""

# A new pod of the store goes to the node on which the volumes are mounted already.
_BESIDE_JOBS = {
    "podAffinity": {
        "preferredDuringSchedulingIgnoredDuringExecution": [
            {
                "weight": 100,
                "podAffinityTerm": {
                    "labelSelector": {
                        "matchExpressions": [
                            {"key": labels.EXPERIMENT, "operator": "Exists"}
                        ]
                    },
                    "topologyKey": "kubernetes.io/hostname",
                },
            }
        ]
    }
}
_QUOTA_RESOURCES = {"cpus": "requests.cpu", "mem": "requests.memory"}


@dataclass(frozen=True)
class Offer:
    """Settings that all users of a cluster share.

    `image` is the store's, with a shell and git; if it is empty, the file's is used.
    `sizes` maps the names of claims to their sizes. Claims use `storage_class` (None:
    the cluster's default), unless `volumes` is given: it is the source of a
    PersistentVolume, and each claim is bound to a volume of its own. `{namespace}` and
    `{claim}` are replaced in its texts. `access_mode` is that of the claims. `sources` has
    those of further volumes, by the name of their claim. `target` contains the fields of
    `Target` that differ from the defaults. `argo_server` is the URL of an Argo Server,
    empty for none. `authorities` is PEM text, empty for none.
    """

    image: str = ""
    storage_class: str | None = None
    access_mode: str = "ReadWriteMany"
    sizes: Mapping[str, str] = field(default_factory=dict)
    volumes: Mapping[str, Any] | None = None
    sources: Mapping[str, Any] = field(default_factory=dict)
    target: Mapping[str, Any] = field(default_factory=dict)
    gpu_resource: str = "nvidia.com/gpu"
    argo_server: str = ""
    authorities: str = ""


def read(name: str) -> list[Object]:
    """Return the documents of a file of `argo/user`."""
    return shipped_files.documents(f"user/{name}")


def namespace(
    user: str, email: str, annotations: Mapping[str, str] | None = None
) -> list[Object]:
    """Return the namespace, then the objects that must exist before all others."""
    first, *others = read("namespace.yaml")
    metadata = first["metadata"]
    metadata["name"] = namespace_of(user)
    metadata["labels"][labels.USER] = user
    metadata["annotations"] = {EMAIL: email, ENABLED: "true", **(annotations or {})}
    return [first, *others]


def managed(offer: Offer) -> list[Object]:
    """Return the objects that every update of the user resets to the files' content."""
    (store,) = read("store.yaml")
    pod = store["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    container["image"] = offer.image or container["image"]
    pull_secrets = offer.target.get("pull_secrets")
    if pull_secrets:
        pod["imagePullSecrets"] = [{"name": name} for name in pull_secrets]
    for volume in pod["volumes"]:
        claim = volume["persistentVolumeClaim"]
        claim["claimName"] = offer.target.get(
            _field_of(claim["claimName"]), claim["claimName"]
        )
    container["env"] = environment(offer.target.get("proxies", {}))
    _secure(pod, offer.target)
    if offer.target.get("single_node"):
        pod["affinity"] = _BESIDE_JOBS
    for fields in offer.target.get("volumes", ()):
        _mount(pod, Volume(**fields))
    bodies = [*read("accounts.yaml"), *_rights(offer), *read("service.yaml")]
    if offer.authorities:
        bodies.append(egress_values.config_map(offer.authorities))
    return [*bodies, store, *queue_values.user_objects(offer.target)]


def _rights(offer: Offer) -> list[Object]:
    """Return the rights of the namespace, with those of users in the cluster's queue."""
    bodies = read("rights.yaml")
    # The first one is the Role of users.
    bodies[0]["rules"] += queue_values.rights(offer.target)
    return bodies


def environment(variables: Mapping[str, str]) -> list[dict[str, str]]:
    """Return the `env` of a container."""
    return [{"name": name, "value": value} for name, value in variables.items()]


def _secure(pod: Object, target: Mapping[str, Any]) -> None:
    """Give the store's pod the security contexts of jobs."""
    (container,) = pod["containers"]
    if target.get("pod_security"):
        pod["securityContext"] = target["pod_security"]
    context = target.get("container_security")
    if context:
        container["securityContext"] = context
        # The root may be read-only.
        pod["volumes"].append({"name": "tmp", "emptyDir": {}})
        container["volumeMounts"].append({"name": "tmp", "mountPath": "/tmp"})  # noqa: S108


def _field_of(claim: str) -> str:
    """Return the field of `Target` that names another claim instead of one of RiseML's."""
    return f"{claim.removeprefix('riseml-')}_claim"


def _mount(pod: Object, volume: Volume) -> None:
    """Mount a further volume in the store's pod, as in jobs."""
    claim = {"claimName": volume.claim, "readOnly": volume.read_only}
    pod["volumes"].append({"name": volume.id, "persistentVolumeClaim": claim})
    # The mount of /data can be written to, so it gets the folders for mounts below it. In jobs, it is read-only.
    mount = {"name": volume.id, "mountPath": volume.path, "readOnly": volume.read_only}
    pod["containers"][0]["volumeMounts"].append(mount)


def settings(user: str, offer: Offer) -> list[Object]:
    """Return the objects that are created only once, the ConfigMap SETTINGS first.

    Afterwards their content belongs to the user.
    """
    bodies = read("settings.yaml")
    # Sorting moves the only object with this key to the front.
    bodies.sort(key=_is_settings, reverse=True)
    bodies[0]["data"] |= settings_data(user, offer)
    return bodies


def settings_data(user: str, offer: Offer) -> dict[str, str]:
    """Return the entries of the ConfigMap SETTINGS that the administrator controls."""
    target = json.dumps(dict(offer.target), sort_keys=True)
    return {"user": user, "target": target, ARGO_SERVER: offer.argo_server}


def claims(user: str, offer: Offer) -> Iterator[tuple[Object, Object | None]]:
    """Yield each claim with its volume, which is None without a template for volumes."""
    for claim in read("claims.yaml"):
        name, spec = claim["metadata"]["name"], claim["spec"]
        if _field_of(name) in offer.target:
            # It exists already, under another name.
            continue
        if offer.access_mode != "ReadWriteMany":
            spec["accessModes"] = [offer.access_mode]
        requests = spec["resources"]["requests"]
        requests["storage"] = offer.sizes.get(name) or requests["storage"]
        if offer.volumes is not None:
            volume = _volume(user, claim, offer.volumes)
            # The empty class keeps the cluster from providing another volume.
            spec["storageClassName"] = ""
            spec["volumeName"] = volume["metadata"]["name"]
            yield claim, volume
            continue
        if offer.storage_class is not None:
            spec["storageClassName"] = offer.storage_class
        yield claim, None
    for name, source in offer.sources.items():
        claim = _claim_of_source(name)
        volume = _volume(user, claim, source)
        claim["spec"]["volumeName"] = volume["metadata"]["name"]
        yield claim, volume


def _claim_of_source(name: str) -> Object:
    # Kubernetes requires a size, but a volume that exists has its own.
    spec = {
        "accessModes": ["ReadWriteMany"],
        "resources": {"requests": {"storage": "1Gi"}},
        "storageClassName": "",
    }
    metadata = {"name": name}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": metadata,
        "spec": spec,
    }


def quota(
    limits: Mapping[str, str | None], current: Mapping[str, str], gpu_resource: str
) -> Object | None:
    """Return a user's ResourceQuota with changed limits, or None without any limit.

    `limits` maps cpus, mem and gpus to amounts as in riseml.yml. None removes a limit,
    and limits that it does not name remain as in `current`.

    Raises:
        InvalidInputError: an amount is invalid.
    """
    hard = dict(current)
    for name, text in limits.items():
        resource = _QUOTA_RESOURCES.get(name) or f"requests.{gpu_resource}"
        if text is None:
            hard.pop(resource, None)
        else:
            hard[resource] = _amount(name, text)
    if not hard:
        return None
    return {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": QUOTA},
        "spec": {"hard": hard},
    }


def _is_settings(body: Object) -> bool:
    return bool(body["kind"] == "ConfigMap" and body["metadata"]["name"] == SETTINGS)


def _volume(user: str, claim: Object, template: Mapping[str, Any]) -> Object:
    namespace, name = namespace_of(user), claim["metadata"]["name"]
    spec = claim["spec"]
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": f"{namespace}-{name}", "labels": {labels.USER: user}},
        "spec": {
            "capacity": dict(spec["resources"]["requests"]),
            "accessModes": spec["accessModes"],
            "claimRef": {"namespace": namespace, "name": name},
            # Deleting a user must not delete the user's files.
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": "",
            **_filled(template, namespace, name),
        },
    }


def _amount(name: str, text: str) -> str:
    """Return an amount of riseml.yml as Kubernetes writes it."""
    try:
        if name == "cpus":
            return cores_text(cores_of(text))
        if name == "mem":
            # A number without a unit is megabytes, as in riseml.yml.
            return memory_text(bytes_of(f"{text}M" if text.isdecimal() else text))
        if text.isdecimal():
            return str(int(text))
    except ValueError:
        pass
    raise InvalidInputError(
        f"'{text}' is not a valid amount of {name}",
        "Examples: 4 or 500m cores, 512 (megabytes) or 64Gi of memory, 2 GPUs; `none` removes the limit.",
    )


def _filled(template: Any, namespace: str, claim: str) -> Any:
    """Return a template with `{namespace}` and `{claim}` replaced in all its texts."""
    if isinstance(template, Mapping):
        return {
            key: _filled(value, namespace, claim) for key, value in template.items()
        }
    if isinstance(template, list):
        return [_filled(item, namespace, claim) for item in template]
    if isinstance(template, str):
        return template.replace("{namespace}", namespace).replace("{claim}", claim)
    return template
