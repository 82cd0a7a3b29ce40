"""Containers that outlived their jobs: removed before a job's end is recorded, and at the start.

Usually the attendant of a job removes its container. If it was killed, the controller does
it, beside its loop.
"""

import json
from collections.abc import Callable
from pathlib import Path

from riseml.engines.local.containers.job import programs_folder
from riseml.engines.local.controller import log_drain, side_processes
from riseml.engines.local.controller.log import logger
from riseml.engines.local.controller.loop import EventLoop
from riseml.engines.local.jobs import container_removal
from riseml.engines.local.jobs.pod import Pod

_MODULE = "container_removal"


def complete(pod: Pod, loop: EventLoop, done: Callable[[], None]) -> None:
    """Call `done` once no container of an ended pod is left, and its log is complete."""
    directory = str(pod.directory)
    if not container_removal.is_needed(directory):
        log_drain.complete(pod, loop, done)
        return

    def finish(status: int) -> None:
        if status != 0 or container_removal.is_needed(directory):
            logger.error("pod %s: its container could not be removed", pod.node)
        log_drain.complete(pod, loop, done)

    spec = json.loads((pod.directory / container_removal.SPEC).read_text("utf-8"))
    side_processes.run(_MODULE, ("job", directory), loop, finish, spec["environment"])


def end_leftovers(home: Path, loop: EventLoop) -> None:
    """Remove the containers and networks of a home that belong to no job."""
    for file in programs_folder(home).glob("*.json"):
        try:
            record = json.loads(file.read_text("utf-8"))
        except ValueError:
            # A power cut may leave it empty. The next job with containers writes it.
            logger.warning("%s cannot be read, so containers may be left", file)
            continue
        arguments = ("home", str(home), record["program"])
        side_processes.run(
            _MODULE, arguments, loop, _ignore_status, record["environment"]
        )


def _ignore_status(status: int) -> None:
    if status != 0:
        logger.warning("containers of ended jobs could not be removed")
