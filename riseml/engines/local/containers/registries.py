"""Registries as this machine reaches them: what a tag points to now, and whether the user is logged in."""

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from riseml.cluster import registry
from riseml.engines.local.containers.names import qualified

_DOCKER_HUB_LOGIN = "https://index.docker.io/v1/"


def digest(image: str) -> str:
    """Return the digest that the tag of an image has in its registry now.

    It is empty if the registry does not answer, or wants a login.
    """
    host, manifest = registry.manifest(image)
    answer = registry.digest_from_here(registry.url(host, manifest, insecure=False))
    if not answer and host.startswith(("localhost:", "127.")):
        answer = registry.digest_from_here(registry.url(host, manifest, insecure=True))
    return answer


def has_login(image: str, environment: Mapping[str, str]) -> bool:
    """Return whether `podman login` or `docker login` has stored a login for an image's registry."""
    host = qualified(image).partition("/")[0]
    names = {host, f"https://{host}"}
    if host == "docker.io":
        names.add(_DOCKER_HUB_LOGIN)
    for file in _login_files(environment):
        with suppress(OSError, ValueError, AttributeError):
            content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
            logins = {**content.get("auths", {}), **content.get("credHelpers", {})}
            if not names.isdisjoint(logins):
                return True
    return False


def _login_files(environment: Mapping[str, str]) -> list[Path]:
    home = Path(environment.get("HOME") or "/nonexistent")
    files = [
        home / ".config/containers/auth.json",
        Path(environment.get("DOCKER_CONFIG") or home / ".docker") / "config.json",
    ]
    if environment.get("XDG_RUNTIME_DIR"):
        files.append(Path(environment["XDG_RUNTIME_DIR"]) / "containers/auth.json")
    if environment.get("REGISTRY_AUTH_FILE"):
        files.append(Path(environment["REGISTRY_AUTH_FILE"]))
    return files
