"""Mounts of a pod: the folder of this machine that each of its volumes stands for.

claim riseml-data    the user's data folder, read-only
claim riseml-output  <home>/output
claim riseml-store   <home>/store, read-only
emptyDir             a folder of the job, removed with it
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from riseml import labels
from riseml.engines.local.home import HomeLayout
from riseml.engines.local.jobs.launcher import Mount
from riseml.errors import UnsupportedError


def volume_folders(
    volumes: Sequence[Mapping[str, Any]], layout: HomeLayout, directory: Path
) -> dict[str, Path | None]:
    """Return the folder behind each volume by its name; None where none is mounted.

    Raises:
        UnsupportedError: a claim has no folder on this machine.
    """
    folders: dict[str, Path | None] = {}
    for volume in volumes:
        name = volume["name"]
        claim = volume.get("persistentVolumeClaim")
        if claim:
            folders[name] = layout.claim(claim["claimName"])
        elif volume.get("emptyDir", {}).get("medium") == "Memory":
            # Such a volume is the pod's /dev/shm; the machine has its own.
            folders[name] = None
        else:
            folders[name] = directory / "volumes" / name
    return folders


def mounts_of(
    containers: Sequence[Mapping[str, Any]], folders: Mapping[str, Path | None]
) -> list[Mount]:
    """Return the mounts of a pod's containers, ordered by target.

    Raises:
        UnsupportedError: the containers need different mounts at one target, since
            all processes of a job share their mounts; or a path leaves its volume.
    """
    mounts: dict[str, Mount] = {}
    for container in containers:
        for entry in container.get("volumeMounts", ()):
            folder = folders[entry["name"]]
            if folder is None:
                continue
            source = str(_below(folder, entry.get("subPath", "")))
            target = str(PurePosixPath(entry["mountPath"]))
            if target in mounts and mounts[target].source != source:
                raise UnsupportedError(
                    f"the containers of one pod mount different things at {target}"
                )
            mounts[target] = Mount(source, target, bool(entry.get("readOnly")))
    return sorted(mounts.values(), key=lambda mount: mount.target)


def sources_of(mounts: Iterable[Mount]) -> dict[str, str]:
    """Return what is mounted, by the path where a job sees it."""
    return {mount.target: mount.source for mount in mounts}


def outputs_of(
    template: Mapping[str, Any], mounts: Sequence[Mount]
) -> Iterator[tuple[str, tuple[Path, str | None]]]:
    """Yield each output parameter of a template with its file and its default."""
    sources = sources_of(mounts)
    for parameter in template.get("outputs", {}).get("parameters", ()):
        value_from = parameter["valueFrom"]
        path = Path(translate(value_from["path"], sources))
        yield parameter["name"], (path, value_from.get("default"))


def folders_of(
    containers: Sequence[Mapping[str, Any]], mounts: Sequence[Mount], directory: Path
) -> list[Path]:
    """Return the folders that must exist when the containers of a pod start."""
    folders = [directory]
    sources = {}
    for mount in mounts:
        # An empty one stands for the output of a predecessor that does not exist.
        is_own = mount.source.startswith(f"{directory}/") or mount.source.endswith(
            f"/{labels.EMPTY_FOLDER}"
        )
        if is_own or not mount.read_only:
            folders.append(Path(mount.source))
            sources[mount.target] = mount.source
    for container in containers:
        working_directory = container.get("workingDir", "")
        folder = translate(working_directory, sources)
        if folder != working_directory:
            folders.append(Path(folder))
    return folders


def translate(text: str, sources: Mapping[str, str]) -> str:
    """Replace the mount point that a path begins with by the folder behind it.

    A text of several paths separated by colons, such as PATH, is handled path by path.
    """
    if not sources or "/" not in text:
        return text
    return ":".join(_translate_path(path, sources) for path in text.split(":"))


def _translate_path(path: str, sources: Mapping[str, str]) -> str:
    for target, source in sources.items():
        if path == target or path.startswith(f"{target}/"):
            return source + path[len(target) :]
    return path


def _below(folder: Path, sub_path: str) -> Path:
    """Return `folder/sub_path`, which must not leave `folder`.

    User and project names are part of the path, so this keeps them in their folders.
    """
    if not sub_path:
        return folder
    parts = PurePosixPath(sub_path).parts
    has_control_character = any(ord(character) < ord(" ") for character in sub_path)
    if ".." in parts or sub_path.startswith("/") or has_control_character:
        raise UnsupportedError(f"the path {sub_path!r} leads out of its volume")
    return folder.joinpath(*parts)
