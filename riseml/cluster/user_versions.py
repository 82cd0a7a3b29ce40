"""Which users' namespaces have what this version and the values of the cluster say.

    files of `argo/user` + Offer ──▶ digest ──▶ annotation INSTALLATION of a namespace

The annotation is written when everything else in the namespace is.
"""

import json
from dataclasses import asdict
from hashlib import sha256

from riseml import labels
from riseml.cluster import shipped_files
from riseml.cluster.api import Api, path
from riseml.cluster.namespace_objects import Offer

INSTALLATION = "riseml.io/installation"
"""Annotation of a namespace: the digest with which it was last brought up to date."""

_DIGEST_LENGTH = 16


def digest(offer: Offer) -> str:
    """Return what identifies the content of users' namespaces."""
    folder = shipped_files.folder() / "user"
    hashed = sha256(json.dumps(asdict(offer), sort_keys=True).encode())
    for file in sorted(folder.glob("*.yaml")):
        hashed.update(file.read_bytes())
    return hashed.hexdigest()[:_DIGEST_LENGTH]


def mark(api: Api, namespace: str, offer: Offer) -> None:
    """Record that a namespace is up to date."""
    metadata = {"annotations": {INSTALLATION: digest(offer)}}
    api.patch(path("namespaces", None, namespace), {"metadata": metadata})


def user_namespaces(api: Api) -> dict[str, str]:
    """Return the users by their namespaces, without those that are being deleted."""
    return _namespaces(api, current="")


def outdated(api: Api, offer: Offer) -> list[str]:
    """Return the users whose namespaces differ from this version or from the values."""
    return sorted(_namespaces(api, current=digest(offer)).values())


def _namespaces(api: Api, current: str) -> dict[str, str]:
    """Return the users by their namespaces, except for those with the digest `current`."""
    users = {}
    namespaces = api.items(path("namespaces"), metadata=True, labelSelector=labels.USER)
    for body in namespaces:
        metadata = body["metadata"]
        annotations = metadata.get("annotations", {})
        is_current = annotations.get(INSTALLATION, "-") == current
        if "deletionTimestamp" not in metadata and not is_current:
            users[str(metadata["name"])] = str(metadata["labels"][labels.USER])
    return users
