"""Requests to the forkserver: the steps of a job as shell text, with its logs, mounts and overlays."""

import math
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from riseml.engines.local.jobs import forkserver, processes, supervise

if TYPE_CHECKING:
    from riseml.engines.local.jobs import launcher

_NO_LOG = os.fsdecode(forkserver.NEVER)
# Shells count the memory that a process may allocate in these.
_BYTES_PER_UNIT = 1024


def request(
    job: "launcher.ProcessSpec",
) -> tuple[
    bytes,
    tuple[bytes, ...],
    tuple[tuple[bytes, bytes, bool], ...],
    dict[bytes, tuple[bytes, ...]],
]:
    """Return a job's steps as shell text, paths of its logs, mounts, and overlays."""
    logs: dict[str, int] = {}
    for step in (job.main, *job.init, *job.sidecars):
        logs.setdefault(step.log or _NO_LOG, len(logs))
    supervise.check_logs(len(logs))
    text = [supervise.assign(grace=supervise.seconds(job.grace), **_limits(job))]
    for index, step in enumerate(job.init):
        command, log = _command(step, job.key, logs, b"")
        text.append(supervise.init(index, command, log, len(logs)))
    # As in Argo, the executor runs these, and the container runtime the init steps.
    sidecars = [_command(step, job.key, logs, b"locate") for step in job.sidecars]
    main, _ = _command(job.main, job.key, logs, b"locate")
    mark = bool(job.init)
    text.append(supervise.main(main, len(logs), sidecars, job.deadline, mark=mark))
    mounts = []
    overlays = {}
    for mount in job.mounts:
        source, target = os.fsencode(mount.source), os.fsencode(mount.target)
        mounts.append((source, target, mount.read_only))
        if mount.layers:
            overlays[target] = tuple(map(os.fsencode, mount.layers))
    paths = tuple(map(os.fsencode, logs))
    return b"".join(text), paths, tuple(mounts), overlays


def _limits(job: "launcher.ProcessSpec") -> dict[str, str]:
    """Return the shell variables that limit what the steps of a job use."""
    variables = {}
    if job.groups:
        variables["groups"] = " ".join(job.groups)
    if job.data_limit:
        variables["data_limit"] = str(math.ceil(job.data_limit / _BYTES_PER_UNIT))
    return variables


def _command(
    step: "launcher.Step", key: str, logs: Mapping[str, int], before: bytes
) -> tuple[bytes, int]:
    """Return a step as shell text, and the number of its log."""
    env = {**step.env, processes.KEY: key}
    text = supervise.command(step.argv, env, step.cwd, before=before)
    return text, logs[step.log or _NO_LOG]
