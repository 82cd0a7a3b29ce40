"""How a home recognizes its own jobs: their processes, and commands that run in them."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from riseml.engines.local.jobs import processes
from riseml.gpus.visibility import VARIABLES


def identity(home: Path) -> str:
    """Return what distinguishes a home's processes from others of the machine.

    It is empty if the home does not exist yet.
    """
    try:
        status = home.stat()
    except OSError:
        return ""
    text = f"{status.st_dev} {status.st_ino} {home.resolve()}"
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def is_job(pid: int, home_identity: str) -> bool:
    """Return whether a process, or one of its ancestors, belongs to a job of a home."""
    # A job may have given its children another environment.
    while pid > 1:
        key = processes.key_of(pid)
        if key:
            return _is_key(key, home_identity)
        pid = _parent(pid)
    return False


def own_choice(environment: Mapping[str, str], home_identity: str) -> Mapping[str, str]:
    """Return the environment of a command, with its user's own choice of GPUs only.

    If the command runs in a job of the home, RiseML has set the variables, and they say
    what that job may use.
    """
    if not _is_key(environment.get(processes.KEY, ""), home_identity):
        return environment
    chosen = dict(environment)
    for name in VARIABLES:
        chosen.pop(name, None)
    return chosen


def _is_key(key: str, home_identity: str) -> bool:
    return bool(home_identity) and key.startswith(f"{home_identity}:")


def _parent(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_bytes()
    except OSError:
        return 0
    _, _, tail = status.partition(b"\nPPid:")
    return int(tail.split()[0]) if tail else 0
