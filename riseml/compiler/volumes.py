"""Volumes of a document: claims, and folders that live as long as a pod.

They are Argo's models. Hera's classes for 31 kinds of volumes take 15 ms to load.
"""

from hera.workflows.models import (
    ConfigMapVolumeSource,
    EmptyDirVolumeSource,
    KeyToPath,
    PersistentVolumeClaimVolumeSource,
    SecretVolumeSource,
    Volume,
)

from riseml.compiler.names import Names
from riseml.compiler.pod import has_code_volume


def pod_volumes(names: Names) -> list[Volume]:
    """Return the volumes of all pods."""
    target = names.target
    volumes = [_claim("data", target.data_claim), _claim("output", target.output_claim)]
    if not names.origin.git_url:
        volumes.append(_claim("store", target.store_claim))
    for volume in target.volumes:
        volumes.append(_claim(volume.id, volume.claim))
    if has_code_volume(names):
        volumes.append(_folder("code"))
    volumes.append(_folder("riseml"))
    volumes.append(_folder("shm", medium="Memory"))
    if target.authorities:
        authorities = ConfigMapVolumeSource(name=target.authorities)
        volumes.append(Volume(name=target.authorities, config_map=authorities))
    if names.builds or names.search_inputs:
        secret = SecretVolumeSource(secret_name=target.buildkit_secret)
        volumes.append(Volume(name="certificates", secret=secret))
        if target.pull_secrets:
            volumes.append(_login(target.pull_secrets[0]))
    return volumes


def _claim(name: str, claim: str) -> Volume:
    source = PersistentVolumeClaimVolumeSource(claim_name=claim)
    return Volume(name=name, persistent_volume_claim=source)


def _folder(name: str, medium: str | None = None) -> Volume:
    return Volume(name=name, empty_dir=EmptyDirVolumeSource(medium=medium))


def _login(secret: str) -> Volume:
    source = SecretVolumeSource(
        secret_name=secret,
        # A node, too, pulls without a login if the Secret does not exist.
        optional=True,
        items=[KeyToPath(key=".dockerconfigjson", path="config.json")],
    )
    return Volume(name="login", secret=source)
