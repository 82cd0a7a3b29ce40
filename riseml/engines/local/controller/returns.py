"""Pods that return to the queue, because nothing of them has run: whether they may, and their folders."""

import time
from pathlib import Path

from riseml.engines.local.controller import pod_exit, workdirs
from riseml.engines.local.jobs import launcher
from riseml.engines.local.jobs.pod import Pod

# A supervisor that is killed as often before its first step would not reach it.
_MOST_RETURNS = 5


def is_possible(pod: Pod, reason: str) -> bool:
    """Return whether a pod that ended for a reason, without a record of its end, may return."""
    if reason != pod_exit.SUPERVISOR_KILLED or pod.stopping or pod.restarting:
        return False
    # Others may rely on a daemon since it was ready.
    is_daemon = pod.action.template.get("daemon", False)
    if is_daemon or pod.returns >= _MOST_RETURNS:
        return False
    return not launcher.has_begun(pod.directory)


def vacate(pod: Pod) -> list[Path]:
    """Move the folder of a pod that has not run, or runs again, out of its way.

    Returns the new folder, if there was one. It may go once the database records that
    the pod is pending: until then it shows that.
    """
    if not pod.directory.exists():
        return []
    workdirs.discard(pod)
    obsolete = pod.directory.with_name(f"{pod.directory.name}.{time.time_ns()}")
    pod.directory.rename(obsolete)
    return [obsolete]


def is_vacated(directory: Path) -> bool:
    """Return whether `vacate` has moved the folder of a pod."""
    return any(directory.parent.glob(f"{directory.name}.*"))
