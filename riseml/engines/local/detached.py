"""Start of a controller that outlives the command which starts it, and gets little from it."""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

# The descriptor on which a controller reports that it is ready.
_READY_FD = 3
_VARIABLES = frozenset({
    "PATH", "HOME", "USER", "LOGNAME", "LANG", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH",
    "RISEML_CPUS", "RISEML_MEM", "RISEML_GPUS", "RISEML_MOUNTS", "RISEML_CGROUPS",
    "RISEML_DATA", "RISEML_IDLE",
})  # fmt: skip
# The first are settings of the Python that runs the controller.
_PREFIXES = ("PYTHON", "LC_")


def run(command: Sequence[str], home: Path, output: int, ready: int) -> None:
    """Run a controller in a session of its own, through a shell that exits at once.

    `command` gets the number of the descriptor to which the controller reports as one
    more argument; that is `ready`. The controller itself drops what it inherits.
    """
    script = 'cd "$1"; shift; "$@" &'
    pid = os.posix_spawn(
        "/bin/sh",
        ["/bin/sh", "-c", script, "sh", str(home), *command, str(_READY_FD)],
        _environment(),
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, output, 1),
            (os.POSIX_SPAWN_DUP2, output, 2),
            (os.POSIX_SPAWN_DUP2, ready, _READY_FD),
        ],
        setsid=True,
    )
    # A program that ignores the end of its children cannot wait for one.
    with suppress(ChildProcessError):
        os.waitpid(pid, 0)


def _environment() -> dict[str, str]:
    """Return the part of this environment that a controller gets.

    Other variables may be secrets, or mean this command: those of a job, of Git's hooks,
    or of `faketime`. Jobs have the environment of the command that submits them.
    """
    environment = {}
    for name, value in os.environ.items():
        if name in _VARIABLES or name.startswith(_PREFIXES):
            environment[name] = value
    path = environment.get("PYTHONPATH")
    if path:
        # The controller starts in the home, and must load the same RiseML as this command.
        folders = map(os.path.abspath, path.split(os.pathsep))
        environment["PYTHONPATH"] = os.pathsep.join(folders)
    return environment
