"""Containers of a template: their volumes exist, and their folders can be made."""

from collections.abc import Iterator, Mapping
from itertools import chain
from operator import itemgetter
from typing import Final

from riseml import labels
from riseml.engines.local.interpreter.validate_names import (
    Data,
    duplicate_faults,
    names_of,
)

# The machine has the folder for which clusters need a volume in memory.
_SHARED_MEMORY: Final = "/dev/shm"  # noqa: S108
_CODE: Final = "/code"

_Source = tuple[str, str]
"""A volume and the path in it."""


def container_faults(path: str, template: Data, spec: Data) -> Iterator[str]:
    """Yield what is wrong with the containers of a container template."""
    volumes = [*spec.get("volumes", ()), *template.get("volumes", ())]
    yield from duplicate_faults(f"{path}.volumes", names_of(volumes))
    by_name = {volume["name"]: volume for volume in volumes}
    containers = _containers_of(template)
    mounts = list(chain.from_iterable(map(_mounts_of, containers)))
    sources: dict[str, _Source] = {}
    for mount in mounts:
        mount_path = f"{path} mounts {mount['name']!r} at {mount['mountPath']}"
        yield from _source_faults(mount_path, mount, sources)
        yield from _volume_faults(mount_path, mount, by_name, template)
    folders = list(map(itemgetter("mountPath"), mounts))
    # An environment that a build makes, or has made, stands for an image with the code.
    image = template["container"].get("image", "")
    is_built = image.startswith((labels.ENVIRONMENT, labels.IMAGE_ID))
    if is_built or any(map(is_build, spec["templates"])):
        folders.append(_CODE)
    for container in containers:
        yield from _folder_faults(path, container, folders)
    has_artifacts = template.get("inputs", {}).get("artifacts")
    if has_artifacts and not is_build(template):
        yield f"{path}.inputs.artifacts: the local engine writes no artifacts"


def is_build(template: Data) -> bool:
    """Tell whether a template builds an image, which is an environment here.

    It needs no Dockerfile and no key to a registry, so these are never written.
    """
    tags = template.get("metadata", {}).get("labels", {})
    return bool(tags.get(labels.TYPE) in labels.BUILD_TYPES)


def _containers_of(template: Data) -> list[Data]:
    others = (template.get("initContainers", ()), template.get("sidecars", ()))
    return [template["container"], *chain.from_iterable(others)]


def _mounts_of(container: Data) -> list[Data]:
    mounts: list[Data] = container.get("volumeMounts", [])
    return mounts


def _source_faults(
    path: str, mount: Data, sources: dict[str, _Source]
) -> Iterator[str]:
    """Yield a fault if an earlier mount has other files at the same path."""
    source = (mount["name"], mount.get("subPath", ""))
    earlier_source = sources.setdefault(mount["mountPath"], source)
    if earlier_source != source:
        yield (
            f"{path}: all containers of a template share their mounts, "
            f"and another one has {earlier_source[0]!r} there"
        )


def _volume_faults(
    path: str, mount: Data, volumes: Mapping[str, Data], template: Data
) -> Iterator[str]:
    """Yield why no folder of this machine stands for the volume of a mount."""
    volume = volumes.get(mount["name"])
    if volume is None:
        yield f"{path}: there is no such volume"
        return
    kinds = volume.keys() - {"name"}
    if len(kinds) != 1:
        yield f"{path}: the volume has {len(kinds)} sources instead of one"
    if "secret" in kinds and not is_build(template):
        yield f"{path}: the local engine does not mount secrets"
    is_in_memory = volume.get("emptyDir", {}).get("medium")
    if is_in_memory and mount["mountPath"] != _SHARED_MEMORY:
        yield f"{path}: the local engine has memory at {_SHARED_MEMORY} only"


def _folder_faults(path: str, container: Data, folders: list[str]) -> Iterator[str]:
    """Yield a fault if a container starts in a folder that the engine cannot make."""
    working_directory = container.get("workingDir")
    prefixes = tuple(f"{folder}/" for folder in folders)
    if working_directory and not f"{working_directory}/".startswith(prefixes):
        yield (
            f"{path}: the working directory {working_directory!r} is in no volume, "
            "and the local engine makes folders in volumes only"
        )
