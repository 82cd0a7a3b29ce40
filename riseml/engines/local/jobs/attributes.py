"""Attributes that processes inherit besides their environment: umask, limits, CPUs and priority.

    command ── current ──▶ submission ──▶ database ──difference──▶ child of the launcher ── apply
    controller ── reset: nothing of the command that happened to start it

So the jobs of a run have the attributes of the command that submitted it, whichever
command has started the controller.
"""

import os
import resource
import signal
from collections.abc import Callable, Iterable, Mapping

from riseml import umask

Attributes = dict[str, list[int]]
"""Values by the name of an attribute. Names in capitals are limits, soft and hard, such as
NOFILE. `cpus` are sorted, and `scheduler` is a policy with its priority. The others,
`umask`, `nice` and `oom_score_adj`, have one value."""

_LIMIT_NAMES = (
    "AS CORE CPU DATA FSIZE MEMLOCK MSGQUEUE NICE NOFILE NPROC RSS RTPRIO RTTIME"
    " SIGPENDING STACK"
)
# With less of these, a controller could not do its work.
_OWN_LIMITS = ("AS", "CPU", "DATA", "FSIZE", "NOFILE", "NPROC")
_PRIVATE_UMASK = 0o077
_STANDARD_ERROR = 2
_MOST_CPUS = 1 << 12
# SCHED_IDLE is below all nice values.
_IDLE_NICE = 20
_OOM_FILE = "/proc/self/oom_score_adj"
_CAP_SYS_NICE, _CAP_SYS_RESOURCE = 23, 24


def current() -> Attributes:
    """Return the attributes of this process."""
    attributes = {
        "umask": [umask.current()],
        "nice": [os.getpriority(os.PRIO_PROCESS, 0)],
    }
    if hasattr(os, "sched_getaffinity"):
        attributes["cpus"] = sorted(os.sched_getaffinity(0))
        priority = os.sched_getparam(0).sched_priority
        attributes["scheduler"] = [os.sched_getscheduler(0), priority]
    score = _read(_OOM_FILE)
    if score:
        attributes["oom_score_adj"] = [int(score)]
    for name, number in _LIMITS.items():
        attributes[name] = list(resource.getrlimit(number))
    return attributes


def difference(wanted: Mapping[str, list[int]], own: Attributes) -> Attributes:
    """Return the attributes of `wanted` that a process with `own` has to change."""
    changes = {}
    for name, values in wanted.items():
        if values != own.get(name):
            changes[name] = list(values)
    return changes


def bounds() -> Attributes:
    """Return what the children of this process cannot exceed; see `exceeding`.

    Only root may lower a nice value or raise a hard limit.
    """
    attributes = current()
    bounds = {}
    if not _has_capability(_CAP_SYS_NICE):
        bounds["nice"] = [_nice(attributes)]
    if not _has_capability(_CAP_SYS_RESOURCE):
        for name in _LIMITS:
            bounds[name] = [attributes[name][1]]
    return bounds


def exceeding(
    attributes: Mapping[str, list[int]], bounds: Mapping[str, list[int]]
) -> list[str]:
    """Return the names of the attributes that a process with `bounds` cannot pass on."""
    names = []
    for name, (bound,) in bounds.items():
        if name == "nice":
            is_beyond = _nice(attributes) < bound
        else:
            hard = attributes.get(name, [0])[-1]
            is_beyond = _size(hard) > _size(bound)
        if is_beyond:
            names.append(name)
    return names


def apply(attributes: Mapping[str, list[int]]) -> None:
    """Change attributes of this process, as far as it may."""
    for name, values in attributes.items():
        if name in _LIMITS:
            _set_limit(_LIMITS[name], *values)
        elif name in _CHANGES:
            _attempt(_CHANGES[name], values)


def reset() -> None:
    """Give this process the attributes of a daemon, as far as it may."""
    attributes = {"oom_score_adj": [0], "nice": [0], "umask": [_PRIVATE_UMASK]}
    if hasattr(os, "sched_setaffinity"):
        attributes["scheduler"] = [os.SCHED_OTHER, 0]
        # The kernel takes those that the machine has and the control group allows.
        attributes["cpus"] = list(range(_MOST_CPUS))
    for name in _OWN_LIMITS:
        _, hard = resource.getrlimit(_LIMITS[name])
        attributes[name] = [hard, hard]
    # A memory dump would contain the environments of jobs.
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    attributes["CORE"] = [0, hard]
    apply(attributes)


def close_descriptors(kept: Iterable[int]) -> None:
    """Close all descriptors above those of the standard streams, except some."""
    for descriptor in _descriptors():
        if descriptor > _STANDARD_ERROR and descriptor not in kept:
            _close(descriptor)


def reset_signals() -> None:
    """Block and ignore no signals, as an ancestor may have done."""
    for number in range(1, signal.NSIG):
        if number not in (signal.SIGKILL, signal.SIGSTOP):
            try:
                signal.signal(number, signal.SIG_DFL)
            except (OSError, ValueError):
                # The C library uses this signal itself.
                continue
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _close(descriptor: int) -> None:
    try:
        os.close(descriptor)
    except OSError:
        # It listed the others, and is closed already.
        return


def _descriptors() -> Iterable[int]:
    for folder in ("/proc/self/fd", "/dev/fd"):
        if os.path.isdir(folder):
            return list(map(int, os.listdir(folder)))
    return range(os.sysconf("SC_OPEN_MAX"))


def _set_limit(number: int, soft: int, hard: int) -> None:
    """Set a limit; a hard one that is too high becomes as high as it may."""
    try:
        resource.setrlimit(number, (soft, hard))
    except (OSError, ValueError):
        _, own_hard = resource.getrlimit(number)
        hard = min(hard, own_hard, key=_size)
        soft = min(soft, hard, key=_size)
        resource.setrlimit(number, (soft, hard))


def _set_nice(values: list[int]) -> None:
    os.setpriority(os.PRIO_PROCESS, 0, values[0])


def _set_scheduler(values: list[int]) -> None:
    policy, priority = values
    os.sched_setscheduler(0, policy, os.sched_param(priority))


def _set_cpus(cpus: list[int]) -> None:
    os.sched_setaffinity(0, cpus)


def _set_umask(values: list[int]) -> None:
    os.umask(values[0])


def _set_oom_score(values: list[int]) -> None:
    with open(_OOM_FILE, "w", encoding="ascii") as file:
        file.write(str(values[0]))


def _limit_numbers() -> dict[str, int]:
    """Return the numbers of the limits that this system has, by name."""
    numbers = {}
    for name in _LIMIT_NAMES.split():
        number = getattr(resource, f"RLIMIT_{name}", None)
        if number is not None:
            numbers[name] = number
    return numbers


_LIMITS = _limit_numbers()
_CHANGES: dict[str, Callable[[list[int]], None]] = {
    "oom_score_adj": _set_oom_score,
    "nice": _set_nice,
    "scheduler": _set_scheduler,
    "cpus": _set_cpus,
    "umask": _set_umask,
}


def _attempt(change: Callable[[list[int]], None], values: list[int]) -> None:
    try:
        change(values)
    except (OSError, ValueError):
        # This process has no right to it, or the machine has no such CPU any more.
        return


def _nice(attributes: Mapping[str, list[int]]) -> int:
    """Return a nice value that takes the scheduling policy into account."""
    policy = attributes.get("scheduler", [-1])[0]
    if policy == getattr(os, "SCHED_IDLE", None):
        return _IDLE_NICE
    return attributes.get("nice", [0])[0]


def _size(limit: int) -> float:
    return float("inf") if limit == resource.RLIM_INFINITY else limit


def _has_capability(number: int) -> bool:
    for line in _read("/proc/self/status").splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) >> number & 1)
    return os.geteuid() == 0


def _read(path: str) -> str:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read()
    except OSError:
        return ""
