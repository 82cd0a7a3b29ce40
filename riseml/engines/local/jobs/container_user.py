"""User of a container: the image's own, as on a cluster, whoever that is on this machine.

    podman of a user     root of the container is the user; another user becomes the user as well
    podman, docker of root, RiseML of root     ids are the same inside and outside
    docker of root, RiseML of a user           what root of the container made is given to the user

Where the image's user is another one than that of this machine, the job's folders are made
writable for all, as they are on a cluster.
"""

import os

# Type checkers take this name as true. Loading `typing` itself would be slow.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

_ROOT = frozenset(("", "0", "root", "0:0", "root:root"))
_FOLDER_MODE, _FILE_MODE = 0o777, 0o666


def options(
    spec: "Mapping[str, Any]", answer: "Callable[[list[str]], str]"
) -> "list[str]":
    """Return the options by which a container's user may write to the job's folders.

    `answer` runs the container program, and returns what it prints. `spec` has the image,
    and the `writable` folders and files of the job.
    """
    image = spec["image"]
    user = answer(["image", "inspect", "--format", "{{.Config.User}}", image])
    is_docker = spec["kind"] == "docker"
    uid, gid = os.getuid(), os.getgid()
    if user in _ROOT:
        return ["--env", f"RISEML_OWNER={uid}:{gid}"] if is_docker and uid else []
    if uid == 0 or is_docker:
        _open(spec["writable"])
        return []
    ids = []
    for letter in "ug":
        words = ["run", "--rm", "--network", "none", "--entrypoint", "id", image]
        ids.append(answer([*words, f"-{letter}"]))
    return ["--userns", f"keep-id:uid={ids[0]},gid={ids[1]}"]


def _open(paths: "list[str]") -> None:
    """Let every user write to folders and files."""
    for path in paths:
        is_folder = os.path.isdir(path)
        os.chmod(path, _FOLDER_MODE if is_folder else _FILE_MODE)
