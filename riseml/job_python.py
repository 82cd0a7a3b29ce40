"""Python that jobs find on the user's PATH, where RiseML's own never comes before it.

RiseML is often installed in a virtual environment of its own, whose `bin` directory is on
the PATH. A job that inherited this PATH would run RiseML's Python, without the user's
packages. So that directory moves to the end, unless the environment is the user's.
"""

import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from riseml import own_packages
from riseml.dataclass import dataclass

DEFAULT_PATH = "/usr/local/bin:/usr/bin:/bin"
_PYTHON = re.compile(r"(?<![\w.-])(?:[\w.~-]*/)*python[\d.]*(?![\w./-])")
_VERSION = re.compile(r"Python (\S+)")
_VERSION_TIMEOUT_SECONDS = 5.0
_SHEBANG_BYTES = 200
_SHEBANG = re.compile(rb"#!\s*(/\S*python[\d.]*)\s")


@dataclass(frozen=True)
class Interpreter:
    """The Python that a job's commands find: its path, and its version such as 3.12.1.

    `is_riseml` is set for the Python that runs RiseML itself, where jobs find no other.
    """

    path: str
    version: str
    is_riseml: bool = False


def with_own_last(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment whose PATH has the directory of RiseML's Python at its end.

    It stays where it is if it belongs to an environment that the user works in.
    """
    moved = dict(environment)
    own: list[str] = []
    others: list[str] = []
    for entry in environment.get("PATH", "").split(os.pathsep):
        entries = own if _is_own(entry) else others
        entries.append(entry)
    if own and not _is_users(environment):
        moved["PATH"] = os.pathsep.join([*others, own[0]])
    return moved


def find(commands: Sequence[str], environment: Mapping[str, str]) -> Interpreter | None:
    """Return the Python that command lines run, None without one that works."""
    program = program_of(commands, environment.get("PATH", DEFAULT_PATH))
    if not program:
        return None
    version = version_of(program, environment)
    if not version:
        return None
    directory = os.path.dirname(program)  # noqa: PTH120 - as in `_is_own`
    is_riseml = _is_own(directory) and not _is_users(environment)
    return Interpreter(program, version, is_riseml)


def program_of(commands: Sequence[str], path: str) -> str:
    """Return the path of the Python that command lines run, empty without one."""
    match = _PYTHON.search("\n".join(commands))
    if match:
        return _which(match[0], path)
    for line in commands:
        # Tools such as torchrun name their Python in the first line of their script.
        python = _shebang(_which(line.split()[0], path))
        if python:
            return python
    return _which("python3", path)


def _which(program: str, path: str) -> str:
    # As in `version_of`
    import shutil  # noqa: PLC0415

    return shutil.which(program, path=path) or ""


def _shebang(program: str) -> str:
    """Return the Python that a script names as its interpreter, empty without one."""
    try:
        with Path(program).open("rb") as file:
            first_line = file.readline(_SHEBANG_BYTES)
    except OSError:
        return ""
    match = _SHEBANG.match(first_line)
    return os.fsdecode(match[1]) if match else ""


def version_of(program: str, environment: Mapping[str, str]) -> str:
    """Return the version of a Python, empty if it does not run."""
    # Needed after the run has been submitted, and it takes 5 ms to load.
    import subprocess  # noqa: PLC0415

    try:
        done = subprocess.run(
            [program, "-V"],
            env=dict(environment),
            capture_output=True,
            text=True,
            timeout=_VERSION_TIMEOUT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    # Python 2 writes its version to standard error.
    match = _VERSION.search(done.stdout + done.stderr)
    return match[1] if match else ""


def _is_own(directory: str) -> bool:
    """Return whether a directory of the PATH is that of the Python which runs RiseML."""
    if not directory:
        return False
    own = os.path.join(sys.prefix, "bin")  # noqa: PTH118 - called for all of a PATH
    if os.path.normpath(directory) == own:
        return True
    return os.path.realpath(directory) == os.path.realpath(own)


def _is_users(environment: Mapping[str, str]) -> bool:
    """Return whether the user works in the environment that runs RiseML."""
    own = os.path.realpath(sys.prefix)
    for variable in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        prefix = environment.get(variable)
        if prefix and os.path.realpath(prefix) == own:
            return True
    pyenv_versions = environment.get("PYENV_VERSION", "")
    if pyenv_versions:
        # pyenv has put the directory of the program that it found before its own, which
        # finds the first of several versions.
        return pyenv_versions.split(":")[0] == Path(sys.prefix).name
    is_virtual = sys.prefix != sys.base_prefix
    if not is_virtual:
        return True
    # An image may have an environment on its PATH that nobody has activated, with RiseML
    # among the packages of the user.
    return own_packages.has_others(Path(sys.prefix))
