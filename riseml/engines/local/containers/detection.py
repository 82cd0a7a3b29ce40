"""Container engines of this machine: whether podman and docker work, and what is wrong if not.

    podman info, docker info ──▶ ContainerEngine, kept in <home>/container-engines.json

Asking takes some tenths of a second, so an answer counts for some minutes, unless the
program or the variables that it reads have changed.
"""

import json
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from riseml import home_folder
from riseml.dataclass import dataclass
from riseml.engines.local.containers.program import DOCKER, ContainerProgram
from riseml.errors import HomeError, RiseMLError

NOT_INSTALLED = "it is not installed"
"""The problem of an engine that this machine does not have."""

_FILE = "container-engines.json"
_TIMEOUT_SECONDS = 5.0
# podman answers late while it starts containers on a busy machine.
_NAMED_TIMEOUT_SECONDS = 30.0
# A daemon that was just started must not be missed for long.
_WORKING_SECONDS, _BROKEN_SECONDS = 600.0, 30.0
_VARIABLES = (
    "HOME",
    "XDG_RUNTIME_DIR",
    "DOCKER_HOST",
    "DOCKER_CONTEXT",
    "CONTAINER_HOST",
    "CONTAINERS_CONF",
    "CONTAINERS_STORAGE_CONF",
    "STORAGE_DRIVER",
)
_INSTALL = {
    "podman": "Install it (Debian, Ubuntu: `sudo apt-get install podman`)",
    "docker": "Install it (https://docs.docker.com/engine/install/)",
}
_ADD_RANGE = (
    "Run `sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 $USER`,"
    " then `podman system migrate`."
)
# What a container engine writes, and what that means for its user.
_KNOWN_PROBLEMS = (
    (
        "permission denied",
        "you may not use its socket",
        "Run `sudo usermod -aG docker $USER`, log in again, and try again.",
    ),
    (
        "connect to the docker daemon",
        "its daemon does not run",
        "Start it: `sudo systemctl start docker`.",
    ),
    (
        "no such host",
        "the host of its daemon has no address",
        "Check DOCKER_HOST, CONTAINER_HOST and `docker context ls`.",
    ),
    (
        "subuid",
        "your user has no range of user ids for containers",
        _ADD_RANGE,
    ),
)
_NO_RANGE = "no subuid range"


@dataclass(frozen=True)
class ContainerEngine:
    """A container engine of this machine; it works if `problem` is empty.

    `advice` says what to do about a problem.
    """

    name: str
    version: str = ""
    storage_driver: str = ""
    is_rootless: bool = False
    problem: str = ""
    advice: str = ""

    @property
    def title(self) -> str:
        """Its name and version, as messages call it."""
        return f"{self.name} {self.version}".rstrip()


def detect(
    name: str, environment: Mapping[str, str], home: Path, *, fresh: bool = False
) -> ContainerEngine:
    """Return the container engine of this name; `fresh` asks it even if it was asked before."""
    program = ContainerProgram.find(name, environment)
    if program is None:
        return ContainerEngine(
            name,
            problem=NOT_INSTALLED,
            advice=f"{_INSTALL[name]}, then try again.",
        )
    identity = _identity(program)
    records = _read(home / _FILE)
    kept = None if fresh else _kept(records.get(name), identity)
    if kept is not None:
        return kept
    engine = _ask(program, _NAMED_TIMEOUT_SECONDS if fresh else _TIMEOUT_SECONDS)
    entry = {"identity": identity, "time": time.time(), "engine": vars(engine)}
    _write(home / _FILE, {**records, name: entry})
    return engine


def _identity(program: ContainerProgram) -> list[str]:
    """Return what an answer depends on."""
    modified = str(Path(program.path).stat().st_mtime_ns)
    values = [program.environment.get(name, "") for name in _VARIABLES]
    return [program.path, modified, str(os.getuid()), *values]


def _kept(entry: Any, identity: list[str]) -> ContainerEngine | None:
    """Return the engine of an earlier answer that still counts."""
    with suppress(KeyError, TypeError):
        engine = ContainerEngine(**entry["engine"])
        lifetime = _BROKEN_SECONDS if engine.problem else _WORKING_SECONDS
        age = time.time() - entry["time"]
        if entry["identity"] == identity and 0 <= age < lifetime:
            return engine
    return None


def _ask(program: ContainerProgram, seconds: float) -> ContainerEngine:
    template = "{{json .}}" if program.is_docker else "json"
    try:
        completed = program.call("info", "--format", template, seconds=seconds)
    except RiseMLError as error:
        return _busy(program) or _broken(program.name, str(error))
    answer = _object(completed.stdout)
    errors = answer.get("ServerErrors") or ()
    complaint = "\n".join([completed.stderr, *errors]).strip()
    read = _docker if program.name == DOCKER else _podman
    engine = read(answer)
    if engine is not None:
        return engine
    return _broken(program.name, complaint or f"`{program.name} info` says nothing")


def _busy(program: ContainerProgram) -> ContainerEngine | None:
    """Return a podman that did not answer in time: another one may hold its storage.

    A daemon that does not answer is not busy, but hangs.
    """
    if program.is_docker:
        return None
    completed = program.call("version", "--format", "{{.Client.Version}}")
    if completed.returncode != 0:
        return None
    return ContainerEngine(program.name, completed.stdout.strip())


def _podman(answer: Mapping[str, Any]) -> ContainerEngine | None:
    if not answer.get("host"):
        return None
    host = answer["host"]
    is_rootless = bool(host.get("security", {}).get("rootless"))
    mapped = host.get("idMappings", {}).get("uidmap") or ()
    if is_rootless and len(mapped) == 1:
        # Only the user's own id exists in containers then, and few images have just that.
        return _broken("podman", _NO_RANGE)
    return ContainerEngine(
        "podman",
        str(answer.get("version", {}).get("Version", "")),
        str(answer.get("store", {}).get("graphDriverName", "")),
        is_rootless,
    )


def _docker(answer: Mapping[str, Any]) -> ContainerEngine | None:
    if not answer.get("ServerVersion"):
        return None
    options = " ".join(answer.get("SecurityOptions") or ())
    return ContainerEngine(
        "docker",
        str(answer["ServerVersion"]),
        str(answer.get("Driver", "")),
        "name=rootless" in options,
    )


def _broken(name: str, complaint: str) -> ContainerEngine:
    """Return an engine that does not work, with what it wrote, in plain words where known."""
    for sign, problem, advice in _KNOWN_PROBLEMS:
        if sign in complaint.lower():
            return ContainerEngine(name, problem=problem, advice=advice)
    line = complaint.splitlines()[-1]
    advice = f"`{name} info` shows more. Repair it, or use `--runner process`."
    return ContainerEngine(name, problem=line, advice=advice)


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _read(file: Path) -> dict[str, Any]:
    try:
        return _object(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _write(file: Path, records: Mapping[str, Any]) -> None:
    # What is not kept is only asked again, for instance before there is a home.
    with suppress(OSError, HomeError):
        home_folder.check(file.parent)
        home_folder.replace_file(file, json.dumps(records))
