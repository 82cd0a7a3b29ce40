"""State of a pod while its processes run, and the files of its folder."""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from riseml.engines.local.interpreter import events
from riseml.engines.local.jobs.pod_to_process import PreparedPod
from riseml.engines.local.jobs.workdir import Workdir
from riseml.engines.local.jobs.working_copy import set_aside
from riseml.gpus import Gpu

# The API server of a cluster refuses objects that are longer than about this.
_OUTPUT_LIMIT_BYTES = 1 << 20
_FORCED = "forced"


@dataclass(slots=True)
class Pod:
    """A pod, from its start or its wait for resources until its last process exits.

    `containers` are the names of the init containers and the name of the main one.
    `is_forced` marks one that gets no time to exit. `returns` counts the starts before
    which it was killed.
    `experiment` is empty for a run's own jobs. `engine_steps` counts the init steps
    that the engine puts before those of the template. `restarting` marks a pod that
    was stopped in order to be started once more. `keeps_workdir` marks one whose
    processes are gone, while the files of its working copy are kept.
    """

    key: str
    node: str
    experiment: str
    containers: tuple[tuple[str, ...], str]
    outputs: Mapping[str, tuple[Path, str | None]]
    directory: Path
    log: Path
    action: events.StartPod
    gang: str
    pid: int = 0
    stopping: bool = False
    restarting: bool = False
    waits_for: str = ""
    logged: int = 0
    progress: str = ""
    pidfd: int = -1
    engine_steps: int = 0
    workdir: Workdir | None = None
    keeps_workdir: bool = False
    is_forced: bool = False
    returns: int = 0

    def set_prepared(self, prepared: PreparedPod) -> None:
        """Set what the preparation of the processes has determined."""
        self.outputs, self.log = prepared.outputs, prepared.log
        self.engine_steps = prepared.engine_steps
        self.workdir = prepared.workdir

    def mark_forced(self) -> None:
        """Record that the pod gets no time to exit, also for a later controller."""
        self.is_forced = True
        # Without the record, which a full disk prevents, the next one gives it time.
        with suppress(OSError):
            (self.directory / _FORCED).touch()

    def read_forced(self) -> None:
        """Read what `mark_forced` recorded for an earlier controller."""
        self.is_forced = (self.directory / _FORCED).exists()


def container_names(template: Mapping[str, Any]) -> tuple[tuple[str, ...], str]:
    """Return the names of a template's init containers, and that of the main one."""
    init_names = tuple(
        container["name"] for container in template.get("initContainers", ())
    )
    return init_names, template["container"].get("name") or "main"


def make_folders(pod: PreparedPod, gpus: tuple[Gpu, ...], attempt: int) -> None:
    """Make the folders of a pod, and record its GPUs there for a later controller."""
    directory = Path(pod.spec.directory)
    if directory.exists():
        # A start was interrupted before any process of the pod ran. An overlay refuses
        # a work directory that another one has used.
        directory.rename(directory.with_name(f"{directory.name}.{time.time_ns()}"))
    elif pod.workdir:
        set_aside(pod.workdir, attempt)
    for folder in dict.fromkeys(pod.folders):
        _make_folder(folder)
    if pod.workdir and pod.workdir.work:
        Path(pod.workdir.work).mkdir()
    for file, content in pod.files:
        file.parent.mkdir(exist_ok=True)
        # A kill leaves the earlier file or the new one, never a part: pods share some.
        draft = file.with_name(f"{file.name}.new")
        draft.write_text(content, encoding="utf-8")
        draft.replace(file)
    if gpus:
        gpu_file = directory / "gpus"
        gpu_file.write_text(",".join(gpu.id for gpu in gpus), encoding="utf-8")


def _make_folder(folder: Path) -> None:
    """Make a folder and its parents; for one that exists, a third of the time of `mkdir`."""
    try:
        os.mkdir(folder)  # noqa: PTH102
    except FileExistsError:
        if not os.path.isdir(folder):  # noqa: PTH112
            raise
    except FileNotFoundError:
        folder.mkdir(parents=True, exist_ok=True)


def gpus_of(directory: Path) -> tuple[str, ...]:
    """Return the ids of the GPUs that the pod of a folder was given."""
    try:
        text = (directory / "gpus").read_text(encoding="utf-8")
    except OSError:
        return ()
    return tuple(text.split(","))


def read_outputs(
    outputs: Mapping[str, tuple[Path, str | None]],
) -> Iterator[tuple[str, str]]:
    """Yield name and value of the output parameters that the pod has written."""
    for name, (path, _) in outputs.items():
        try:
            with path.open("rb") as file:
                data = file.read(_OUTPUT_LIMIT_BYTES)
        except OSError:
            # The interpreter uses the default of a parameter that was not written.
            continue
        yield name, data.decode("utf-8", "replace").removesuffix("\n")
