"""Samples of running pods: how long a job's log is at which time, and its progress."""

import os
from contextlib import suppress

from riseml.engines.local.jobs.pod import Pod

_PROGRESS_CHARACTERS = 64


def index_log(pod: Pod) -> None:
    """Record the log's present length, so that `logs --since` finds its lines.

    What cannot be recorded, as on a full disk, is skipped.
    """
    with suppress(OSError):
        # `os.stat` takes half the time of `Path.stat`, and runs for every job.
        status = os.stat(pod.log)  # noqa: PTH116
        if pod.logged < status.st_size:
            with open(f"{pod.log}.times", "a", encoding="ascii") as index:  # noqa: PTH123
                # The log has had this length since its last change.
                index.write(f"{status.st_mtime:.3f} {status.st_size}\n")
        pod.logged = status.st_size


def has_new_progress(pod: Pod) -> bool:
    """Read what the job wrote to its progress file; return whether it has changed."""
    try:
        text = (pod.directory / "progress").read_text("ascii", errors="replace")
    except OSError:
        return False
    progress = text.strip().rpartition("\n")[2].strip()[:_PROGRESS_CHARACTERS]
    is_new = bool(progress) and progress != pod.progress
    pod.progress = progress
    return is_new
