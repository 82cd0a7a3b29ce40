"""Scripts that answer as podman and docker do, on a PATH of their own."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

PODMAN_INFO = {
    "host": {"security": {"rootless": False}, "idMappings": {"uidmap": None}},
    "store": {"graphDriverName": "overlay"},
    "version": {"Version": "5.1.2"},
}
DOCKER_INFO = {
    "ServerVersion": "27.3.1",
    "Driver": "overlay2",
    "SecurityOptions": ["name=seccomp"],
}
NO_DAEMON = (
    "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker"
    " daemon running?"
)
_IMAGE_ID = "ab" * 32


def image(name: str, *digests: str) -> dict[str, object]:
    """Return what `image inspect` prints of an image."""
    repository = name.partition("@")[0].rpartition(":")[0] or name
    known = [f"{repository}@sha256:{digest * 64}" for digest in digests]
    return {"Id": _IMAGE_ID, "RepoDigests": known}


class Programs:
    """A folder of programs; `environment` has a PATH on which nothing else is found."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        # No other folder: the machine of the test may have the real programs.
        self.environment = {"PATH": str(folder), "HOME": str(folder)}

    def podman(
        self,
        info: Mapping[str, object] = PODMAN_INFO,
        images: Mapping[str, Mapping[str, object]] | None = None,
    ) -> None:
        """Install a podman that has `images`."""
        self._install("podman", info, images or {})

    def docker(
        self,
        info: Mapping[str, object] = DOCKER_INFO,
        images: Mapping[str, Mapping[str, object]] | None = None,
        errors: Sequence[str] = (),
    ) -> None:
        """Install a docker that has `images`; it writes `errors` of its daemon."""
        self._install("docker", {**info, "ServerErrors": list(errors)}, images or {})

    def fail(self, name: str, complaint: str) -> None:
        """Install a program that only complains."""
        self._write(name, f"echo {complaint!r} >&2\nexit 125\n")

    def delay(self, name: str, command: str) -> None:
        """Let a command of a program take longer than anybody waits."""
        file = self.folder / name
        shebang, rest = file.read_text().split("\n", 1)
        delay = f'[ "$1" != {command} ] || exec /bin/sleep 60'
        file.write_text(f"{shebang}\n{delay}\n{rest}")

    def calls(self) -> list[str]:
        """Return the arguments of all calls."""
        log = self.folder / "calls"
        return log.read_text().splitlines() if log.exists() else []

    def _install(
        self,
        name: str,
        info: Mapping[str, object],
        images: Mapping[str, Mapping[str, object]],
    ) -> None:
        lines = ['case "$1 $2" in', f"info*) echo '{json.dumps(info)}' ;;"]
        lines.append("version*) echo 5.1.2 ;;")
        lines.append('"image inspect") case "$3" in')
        for reference, record in images.items():
            file = self.folder / f"{name}-{len(lines)}"
            file.write_text(json.dumps([record]))
            names = f"'{reference}'|{record['Id']}"
            lines.append(f"  {names}) /bin/cat {file} 2> /dev/null && exit ;;")
        lines.append('  esac; echo "Error: $3: image not known" >&2; exit 125 ;;')
        ids = " ".join(str(record["Id"]) for record in images.values())
        lines.append(f'"image ls") echo {ids} ;;')
        lines.append('"image rm") case "$3" in *used*) exit 2 ;; esac ;;')
        lines.append("esac")
        self._write(name, "\n".join(lines))

    def _write(self, name: str, script: str) -> None:
        file = self.folder / name
        log = self.folder / "calls"
        file.write_text(f'#!/bin/sh\necho "{name} $*" >> {log}\n{script}\n')
        file.chmod(0o755)
