"""Files that ended jobs left in their working copies: kept at once, or beside the controller if there are many."""

from collections.abc import Callable
from pathlib import Path

from riseml.engines.local.controller import side_processes
from riseml.engines.local.controller.log import logger
from riseml.engines.local.controller.loop import EventLoop
from riseml.engines.local.jobs import overlays, workdir
from riseml.engines.local.jobs.pod import Pod


class WorkdirKeeper:
    """Keeper of what jobs leave in their working copies."""

    def __init__(self, loop: EventLoop) -> None:
        self._loop = loop

    def keep(self, pod: Pod, done: Callable[[], None]) -> None:
        """Keep what an ended pod left, then call `done`."""
        task = pod.workdir
        if task is None:
            done()
            return
        if task.work:
            overlays.unlock(task.work)
        try:
            is_small = workdir.is_small(task)
            if is_small:
                workdir.keep(task)
        except OSError:
            logger.exception("pod %s: its working copy cannot be read", pod.node)
            is_small = True
        if is_small:
            done()
        else:
            self._keep_beside(pod, task, done)

    def _keep_beside(
        self, pod: Pod, task: workdir.Workdir, done: Callable[[], None]
    ) -> None:
        def finish(status: int) -> None:
            if status != 0:
                logger.error("pod %s: its working copy was not kept", pod.node)
            done()

        side_processes.run("workdir", workdir.arguments(task), self._loop, finish)


def note(pod: Pod) -> str:
    """Return the text about what was kept; empty if there is none."""
    if pod.workdir is None:
        return ""
    try:
        return Path(pod.workdir.note).read_text("utf-8", errors="replace")
    except OSError:
        return ""


def discard(pod: Pod) -> None:
    """Move what a pod left into its own folder, which is removed."""
    if pod.workdir is None or not pod.workdir.work:
        return
    overlays.unlock(pod.workdir.work)
    kept = Path(pod.workdir.kept)
    if kept.exists():
        kept.rename(pod.directory / "discarded")
