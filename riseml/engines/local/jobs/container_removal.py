"""Removal of containers: those of one job, and those of a home whose jobs are gone.

Both run beside the controller, because a container program may take seconds. A container
and a network name the file without which they are left over, so what starts meanwhile
is safe.
"""

import json
import os
import subprocess
import sys
import time

HOME_LABEL = "riseml.home"
FILE_LABEL = "riseml.file"
"""Label of a container or a network: the file without which it is left over."""
SPEC = "container.json"
"""File of a job's folder that describes its container: see `containers/job.py`."""
REMOVED = "container-removed"
"""File of a job's folder: no container of it is left."""

_ATTEMPTS = 5
_PAUSE_SECONDS = 0.5
_CALL_SECONDS = 60
_CONTAINER, _NETWORK = "container", "network"
_LISTING = {_CONTAINER: ("ps", "--all"), _NETWORK: ("network", "ls")}
_LABELS = {_CONTAINER: ".Config.Labels", _NETWORK: ".Labels"}


def is_needed(directory: str) -> bool:
    """Return whether a job may have a container that nobody has removed."""
    return os.path.exists(os.path.join(directory, SPEC)) and not os.path.exists(
        os.path.join(directory, REMOVED)
    )


def removal(program: str, kind: str = _CONTAINER) -> list[str]:
    """Return the words that remove containers, at once, or networks."""
    if kind == _NETWORK:
        return ["network", "rm"]
    words = ["rm", "--force", "--volumes"]
    # podman would wait for ten seconds, and hold up all other calls that long.
    return words if _is_docker(program) else [*words, "--time", "0"]


def _is_docker(program: str) -> bool:
    return os.path.basename(program) == "docker"


def remove(program: str, kind: str, label: str, *, is_ended: bool = False) -> bool:
    """Remove containers or networks with a label; return whether none is left over.

    Unless the job of the label `is_ended`, only those go whose file does not exist.
    """
    for _ in range(_ATTEMPTS):
        status, text = _call(
            program, (*_LISTING[kind], "--quiet", "--filter", f"label={label}")
        )
        doomed = text.split()
        if doomed and not is_ended:
            doomed = _left_over(program, kind, doomed)
        if status == 0 and not doomed:
            return True
        if doomed:
            _call(program, (*removal(program, kind), *doomed))
        time.sleep(_PAUSE_SECONDS)
    return False


def _left_over(program: str, kind: str, names: list[str]) -> list[str]:
    """Return those whose file does not exist."""
    form = f'{{{{index {_LABELS[kind]} "{FILE_LABEL}"}}}}'
    doomed = []
    for name in names:
        status, file = _call(program, (kind, "inspect", "--format", form, name))
        if status == 0 and not os.path.exists(file.strip()):
            doomed.append(name)
    return doomed


def _call(program: str, words: tuple[str, ...]) -> tuple[int, str]:
    try:
        done = subprocess.run(
            [program, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            errors="replace",
            timeout=_CALL_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return 1, ""
    return done.returncode, done.stdout


def main() -> None:
    """Remove what a job or a home has left.

    The arguments are `job` and its folder; or `home`, its path, and the program.
    """
    subject, path = sys.argv[1], sys.argv[2]
    if subject == "home":
        label = f"{HOME_LABEL}={path}"
        for kind in (_CONTAINER, _NETWORK):
            remove(sys.argv[3], kind, label)
        return
    file = os.path.join(path, SPEC)
    with open(file, encoding="utf-8") as spec:
        program = json.load(spec)["program"]
    if remove(program, _CONTAINER, f"{FILE_LABEL}={file}", is_ended=True):
        os.close(os.open(os.path.join(path, REMOVED), os.O_WRONLY | os.O_CREAT))
