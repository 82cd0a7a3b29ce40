"""Records of what surrounded a pod that failed, for `riseml why`.

    <log>.port   JSON with the fields of a `Holder`: who held the port that the pod needed
    <log>.path   the PATH of a pod whose Python lacked a module
    <log>.limit  the memory limit at which a pod failed (job_limits.py)

All are gone soon: the holder ends, and a run's environment is dropped at its end. So they
are recorded when the pod fails, and not when a user asks.
"""

import json
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from riseml.dataclass import replace
from riseml.engines.local.controller import job_limits
from riseml.engines.local.controller.log import logger
from riseml.engines.local.controller.networks import is_isolated
from riseml.engines.local.jobs import listeners
from riseml.engines.local.jobs.pod import Pod
from riseml.errors import HomeError

if TYPE_CHECKING:
    from riseml.diagnosis.evidence import Holder

_TAIL_BYTES = 1 << 14
# Most pods fail for other reasons, and words are quicker to find than a cause.
_WORDS = re.compile(rb"No module named| in use|EADDRINUSE|bind|listen|[Ee]rrno")


def record(
    pod: Pod,
    environment: Callable[[], Mapping[str, str]],
    mask: Callable[[str], str],
) -> None:
    """Record what the log of a failed pod asks for; `environment` is that of the pod.

    `mask` returns a text without secrets.
    """
    text = _tail(pod.log)
    job_limits.record_failure(pod, text)
    if not _WORDS.search(text):
        return
    # Few failures need these.
    from riseml.diagnosis import missing_modules, used_ports  # noqa: PLC0415

    lines = text.decode(errors="replace").splitlines()
    try:
        if missing_modules.missing_module(lines):
            path = environment().get("PATH", "")
            path_file(pod.log).write_bytes(os.fsencode(path))
        if used_ports.complaints(lines):
            holder = _holder(pod, used_ports.used_port(lines), environment)
            if holder is not None:
                # The command of another program can contain a secret.
                holder = replace(holder, command=mask(holder.command))
                record = json.dumps(vars(holder))
                port_file(pod.log).write_text(record, encoding="ascii")
    except (OSError, HomeError) as error:
        # The pod has failed anyway, and the record only explains it.
        logger.warning("cannot record why %s failed: %s", pod.node, error)


def port_file(log: Path) -> Path:
    """Return the file that describes the holder of a port beside a pod's log."""
    return log.with_name(f"{log.name}.port")


def path_file(log: Path) -> Path:
    """Return the file with the PATH of a pod beside its log."""
    return log.with_name(f"{log.name}.path")


def _holder(
    pod: Pod, port: int, environment: Callable[[], Mapping[str, str]]
) -> "Holder | None":
    """Return who holds a port, None if that is not certain."""
    from riseml.diagnosis.evidence import Holder  # noqa: PLC0415

    if is_isolated(pod.action.template):
        return Holder(port, environment().get("RISEML_EXPERIMENT", ""))
    candidates = []
    for listener in listeners.listeners(port):
        experiment = _experiment(pod, listener)
        # Any program may listen at an unknown port, but the ports of jobs are few.
        if port or experiment:
            candidates.append(Holder(listener.port, experiment, listener.command))
    ports = {candidate.port for candidate in candidates}
    return candidates[0] if len(ports) == 1 else None


def _experiment(pod: Pod, holder: listeners.Listener) -> str:
    """Return the experiment of a listener, empty if it is not one of this home."""
    home, _, _ = pod.key.partition(":")
    return holder.experiment if holder.key.partition(":")[0] == home else ""


def _tail(log: Path) -> bytes:
    try:
        with log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _TAIL_BYTES))
            return file.read()
    except OSError:
        return b""
