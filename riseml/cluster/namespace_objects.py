"""The objects of one user's namespace: those of `argo/user`, with its name and what is settled for the cluster."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from riseml import labels
from riseml.cluster import ARGO_SERVER, SETTINGS, namespace_of
from riseml.cluster.api import Object
from riseml.errors import InvalidInputError
from riseml.quantities import bytes_of, cores_of, cores_text, memory_text

EMAIL, ENABLED = "riseml.io/email", "riseml.io/enabled"
"""Annotations of the namespace."""

QUOTA = "riseml"
_RESOURCES = {"cpus": "requests.cpu", "mem": "requests.memory"}
# For the whole cluster
POLICY = "policy.yaml"
_PACKAGE = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Offer:
    """What is the same for all users of a cluster.

    `image` has a shell and git. `sizes` are those of claims; claims are of `storage_class` (None: the cluster's usual
    one), or bound to a volume made for each from `volumes`: the source of a PersistentVolume, in whose texts
    `{namespace}` and `{claim}` are filled in. `target` holds fields of `Target` that are not as usual; `argo_server` is
    the URL of an Argo Server for all users, empty for none.
    """

    image: str = ""
    storage_class: str | None = None
    sizes: Mapping[str, str] = field(default_factory=dict)
    volumes: Mapping[str, Any] | None = None
    target: Mapping[str, Any] = field(default_factory=dict)
    gpu_resource: str = "nvidia.com/gpu"
    argo_server: str = ""


def read(name: str) -> list[Object]:
    """Return the documents of a file of `argo/user`."""
    shipped = _PACKAGE / "argo"
    folder = (shipped if shipped.is_dir() else _PACKAGE.parent / "argo") / "user"
    return list(yaml.safe_load_all((folder / name).read_text("utf-8")))


def namespace(user: str, email: str) -> list[Object]:
    """Return the namespace itself, then what must be there before anything else is."""
    first, *others = read("namespace.yaml")
    metadata = first["metadata"]
    metadata["name"] = namespace_of(user)
    metadata["labels"][labels.USER] = user
    metadata["annotations"] = {EMAIL: email, ENABLED: "true"}
    return [first, *others]


def settled(offer: Offer) -> list[Object]:
    """Return the objects that are made as written here, again with each update."""
    (store,) = read("store.yaml")
    (container,) = store["spec"]["template"]["spec"]["containers"]
    container["image"] = offer.image or container["image"]
    if pull := offer.target.get("pull_secrets"):
        store["spec"]["template"]["spec"]["imagePullSecrets"] = [
            {"name": name} for name in pull
        ]
    return [*read("accounts.yaml"), *read("rights.yaml"), *read("service.yaml"), store]


def settings(user: str, offer: Offer) -> list[Object]:
    """Return the objects that are made once and belong to the user then, the ConfigMap SETTINGS first."""
    objects = read("settings.yaml")
    (first,) = (
        each
        for each in objects
        if each["kind"] == "ConfigMap" and each["metadata"]["name"] == SETTINGS
    )
    first["data"] |= told(user, offer)
    return [first, *(each for each in objects if each is not first)]


def told(user: str, offer: Offer) -> dict[str, str]:
    """Return what the ConfigMap SETTINGS says of its user and of the cluster."""
    target = json.dumps(dict(offer.target), sort_keys=True)
    return {"user": user, "target": target, ARGO_SERVER: offer.argo_server}


def claims(user: str, offer: Offer) -> Iterator[tuple[Object, Object | None]]:
    """Yield each claim, and the volume that is made for it if there is a template for that."""
    place = namespace_of(user)
    for claim in read("claims.yaml"):
        name, spec = claim["metadata"]["name"], claim["spec"]
        size = {
            "storage": offer.sizes.get(name) or spec["resources"]["requests"]["storage"]
        }
        spec["resources"]["requests"] = size
        if offer.volumes is None:
            if offer.storage_class is not None:
                spec["storageClassName"] = offer.storage_class
            yield claim, None
            continue
        volume = f"{place}-{name}"
        spec |= {"storageClassName": "", "volumeName": volume}
        yield (
            claim,
            {
                "apiVersion": "v1",
                "kind": "PersistentVolume",
                "metadata": {"name": volume, "labels": {labels.USER: user}},
                "spec": {
                    "capacity": size,
                    "accessModes": spec["accessModes"],
                    "claimRef": {"namespace": place, "name": name},
                    "persistentVolumeReclaimPolicy": "Retain",
                    "storageClassName": "",
                    **_filled(offer.volumes, place, name),
                },
            },
        )


def quota(
    limits: Mapping[str, str | None], before: Mapping[str, str], gpu_resource: str
) -> Object | None:
    """Return the ResourceQuota of a user who had `before`, None for no limit at all.

    `limits` has cpus, mem and gpus, as riseml.yml writes them; None takes a limit away, and what is not named stays.

    Raises:
        InvalidInputError: an amount is none.
    """
    hard = dict(before)
    for name, text in limits.items():
        resource = _RESOURCES.get(name) or f"requests.{gpu_resource}"
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


def _amount(name: str, text: str) -> str:
    try:
        if name == "cpus":
            return cores_text(cores_of(text))
        if name == "mem":
            return memory_text(bytes_of(f"{text}M" if text.isdecimal() else text))
        if text.isdecimal():
            return str(int(text))
    except ValueError:
        pass
    advice = "Write for example 4 or 500m cores, 512 (megabytes) or 64Gi of memory, 2 GPUs; `none` for no limit."
    raise InvalidInputError(f"'{text}' is no amount of {name}", advice)


def _filled(template: Any, place: str, claim: str) -> Any:
    if isinstance(template, Mapping):
        return {key: _filled(value, place, claim) for key, value in template.items()}
    if isinstance(template, list):
        return [_filled(each, place, claim) for each in template]
    if isinstance(template, str):
        return template.replace("{namespace}", place).replace("{claim}", claim)
    return template
