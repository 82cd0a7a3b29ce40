"""A pod while its processes run, and what its folder tells of it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from riseml.engines.local.interpreter import events
from riseml.engines.local.jobs.pod_to_process import Pending

# Bytes of an output parameter that are kept, as on the cluster
_RESULT = 2048


@dataclass(slots=True)
class Pod:
    """A pod from its launch, or its wait for room, to the end of its last process."""

    key: str
    node: str
    cell: str
    # Names: init ones, main
    containers: tuple[tuple[str, ...], str]
    outputs: Mapping[str, tuple[Path, str | None]]
    directory: Path
    log: Path
    action: events.StartPod
    gang: str
    pid: int = 0
    stopping: bool = False
    # It was stopped to be started once more
    again: bool = False
    waits_for: str = ""
    logged: int = -1
    progress: str = ""
    pidfd: int = -1
    # Init steps that are the engine's own
    extra: int = 0


def containers(template: Mapping[str, Any]) -> tuple[tuple[str, ...], str]:
    """Return the names of the containers of a template: the init ones, the main one."""
    names = tuple(container["name"] for container in template.get("initContainers", ()))
    return names, template["container"].get("name") or "main"


def make(pending: Pending, gpus: tuple[str, ...]) -> None:
    """Make the folders of a pod, and note its GPUs there for another controller."""
    for folder in pending.folders:
        folder.mkdir(parents=True, exist_ok=True)
    if gpus:
        (Path(pending.launch.directory) / "gpus").write_text(
            ",".join(gpus), encoding="utf-8"
        )


def gpus_of(directory: Path) -> tuple[str, ...]:
    """Return the GPUs that a pod was given."""
    try:
        return tuple((directory / "gpus").read_text(encoding="utf-8").split(","))
    except OSError:
        return ()


def read_outputs(
    outputs: Mapping[str, tuple[Path, str | None]],
) -> Iterable[tuple[str, str]]:
    """Yield the output parameters that were written."""
    for name, (path, _) in outputs.items():
        try:
            with path.open("rb") as file:
                yield name, file.read(_RESULT).decode("utf-8", "replace").rstrip("\n")
        except OSError:
            # Not written: the interpreter knows the default
            continue
