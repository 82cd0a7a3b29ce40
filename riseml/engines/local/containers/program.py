"""Container programs, podman and docker: found on a PATH, and called with the user's own settings."""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from riseml.dataclass import dataclass, field
from riseml.errors import RiseMLError

if TYPE_CHECKING:
    from subprocess import CompletedProcess

PODMAN, DOCKER = "podman", "docker"
PROGRAMS = (PODMAN, DOCKER)
"""The container programs that RiseML can use, the preferred one first."""
SECONDS = 60.0
"""The longest time that an ordinary call may take."""

# The program needs these to find its configuration, its images and its daemon.
_NAMES = frozenset(
    [
        "PATH",
        "HOME",
        "USER",
        "LOGNAME",
        "TMPDIR",
        "LANG",
        "LD_LIBRARY_PATH",
        "DBUS_SESSION_BUS_ADDRESS",
        "REGISTRY_AUTH_FILE",
        "SSL_CERT_FILE",
    ]
)
_PREFIXES = ("XDG_", "CONTAINER", "STORAGE_", "DOCKER_", "BUILDAH_")


def own_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what a container program may see of a user's environment.

    Variables that only have a meaning for jobs are left out.
    """
    kept = {}
    for name, value in environment.items():
        if name in _NAMES or name.startswith(_PREFIXES):
            kept[name] = value
    return kept


@dataclass(frozen=True)
class ContainerProgram:
    """A container program: its name, its path, and the environment of all its processes."""

    name: str
    path: str
    environment: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def find(
        cls, name: str, environment: Mapping[str, str]
    ) -> "ContainerProgram | None":
        """Return the program of a name, None if it is not on the PATH."""
        # Loaded when a program is looked for or called: 7 ms with `subprocess`.
        import shutil  # noqa: PLC0415

        path = shutil.which(name, path=environment.get("PATH"))
        if path is None:
            return None
        return cls(name, path, own_environment(environment))

    @property
    def is_docker(self) -> bool:
        """Whether a daemon runs the containers, and not the program itself."""
        return self.name == DOCKER

    def command(self, *words: str) -> list[str]:
        """Return a command line, to be run with `environment`."""
        return [self.path, *words]

    def call(
        self, *words: str, text: str | None = None, seconds: float = SECONDS
    ) -> "CompletedProcess[str]":
        """Run a command to its end, with `text` as its input.

        Raises:
            RiseMLError: it does not end within the time, or cannot be run.
        """
        import subprocess  # noqa: PLC0415

        try:
            return subprocess.run(
                self.command(*words),
                env=dict(self.environment),
                input=text or "",
                capture_output=True,
                text=True,
                errors="replace",
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise RiseMLError(
                f"`{self.name} {words[0]}` does not end within {seconds:.0f} seconds",
                f"Look at what `{self.name} info` says.",
            ) from error
        except OSError as error:
            raise RiseMLError(f"{self.path} cannot be run: {error.strerror}") from error

    def read(self, *words: str, seconds: float = SECONDS) -> str:
        """Return what a command prints.

        Raises:
            RiseMLError: it fails; the message has the last line of its errors.
        """
        completed = self.call(*words, seconds=seconds)
        if completed.returncode == 0:
            return completed.stdout
        raise self._failure(words[0], completed.stderr)

    def inspect_image(self, image: str) -> dict[str, Any] | None:
        """Return what the program knows of a local image, None if there is no such image.

        Raises:
            RiseMLError: the program does not answer, for instance without its daemon.
        """
        completed = self.call("image", "inspect", image)
        if completed.returncode == 0:
            document: dict[str, Any] = json.loads(completed.stdout)[0]
            return document
        if is_unknown(completed.stderr):
            return None
        raise self._failure("image inspect", completed.stderr)

    def list_ids(self, kind: Sequence[str], label: str) -> list[str]:
        """Return the ids of containers or networks with a label, `name=value`.

        `kind` are the words that list them: `ps -a` or `network ls`.
        """
        return self.read(*kind, "-q", "--filter", f"label={label}").split()

    def _failure(self, command: str, errors: str) -> RiseMLError:
        lines = errors.strip().splitlines() or ["it failed"]
        return RiseMLError(f"`{self.name} {command}`: {lines[-1]}")


def is_unknown(errors: str) -> bool:
    """Return whether an error message says that an object does not exist."""
    lines = errors.lower()
    return "no such" in lines or "not known" in lines or "not found" in lines
