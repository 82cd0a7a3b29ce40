"""Names of images: which ones a user's own environment stands for, and what docker and podman make of them."""

import re

BUILT = "localhost/riseml/"
"""The name of an image begins like that if install steps have made it; its key follows."""

# They have an interpreter or a system, but none of the packages that a program needs.
_BARE = frozenset({"python", "busybox", "debian", "ubuntu", "alpine"})
_DOCKER_HUB = "docker.io"
_OFFICIAL = ("docker.io/library/", "docker.io/", "library/", "index.docker.io/library/")
_HOST = re.compile(r"localhost|.*[.:].*")


def is_bare(image: str) -> bool:
    """Return whether an image is a system or a Python without packages.

    Users expect their own environment where riseml.yml names such an image.
    """
    name = repository(image)
    for prefix in _OFFICIAL:
        name = name.removeprefix(prefix)
    return name in _BARE


def qualified(image: str) -> str:
    """Return an image with its registry, by docker's rules, which clusters follow as well.

    `pytorch/pytorch` is `docker.io/pytorch/pytorch`, and `redis` is `docker.io/library/redis`.
    """
    first, slash, _ = image.partition("/")
    if slash and _HOST.fullmatch(first):
        return image
    return f"{_DOCKER_HUB}/{image if slash else f'library/{image}'}"


def has_latest(image: str) -> bool:
    """Return whether the tag of an image is `latest`, which moves; that is the default."""
    if "@" in image:
        return False
    last = image.rpartition("/")[2]
    _, _, tag = last.partition(":")
    return tag in ("", "latest")


def repository(image: str) -> str:
    """Return an image without its tag and digest."""
    name = image.partition("@")[0]
    folder, slash, last = name.rpartition("/")
    return f"{folder}{slash}{last.partition(':')[0]}"
