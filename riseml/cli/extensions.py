"""Commands of other installed packages: entry points of the group `riseml.commands`.

`riseml.cli` documents the contract of their modules. `riseml --help` calls this module, so
it loads nothing before it knows that a package has such commands.
"""

import os
import sys

# As in `typing`, whose import takes half as long as all of `riseml --help`.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

_KIND = "commands"
_HEADER = b"[riseml.commands]"
# Folders with the metadata of an installed package.
_METADATA = (".dist-info", ".egg-info")


def names() -> tuple[str, ...]:
    """Return the names of all commands of other packages, sorted."""
    if not any(map(_may_declare, sys.path)):
        return ()
    from riseml import plugins

    return plugins.names(_KIND)


def exists(name: str) -> bool:
    """Return whether another package has a command of this name."""
    return name in names()


def load(name: str) -> "ModuleType":
    """Return the module of a command of another package.

    Raises:
        InvalidInputError: no package has a command of this name.
        RiseMLError: the module cannot be imported, or has no command.
    """
    from riseml import plugins
    from riseml.errors import RiseMLError

    module = plugins.load(_KIND, name)
    if not hasattr(module, "command") and not hasattr(module, "COMMANDS"):
        raise RiseMLError(
            f"the module {module.__name__} has no function `command` and no group `COMMANDS`",
            f"Report this to the authors of the command '{name}'.",
        )
    return module


def summaries() -> dict[str, str]:
    """Return the line of each command in `riseml --help`.

    A package that cannot be imported must not break the help of all others, so its
    line is the error.
    """
    commands = names()
    if not commands:
        return {}
    from riseml.errors import RiseMLError

    lines = {}
    for name in commands:
        try:
            module = load(name)
        except RiseMLError as error:
            lines[name] = f"({error})"
        else:
            lines[name] = _summary(module)
    return lines


def _may_declare(folder: str) -> bool:
    """Return False if no package in a folder of `sys.path` has commands for RiseML.

    Reading the files of 70 packages takes less than a millisecond. Loading
    importlib.metadata takes as long as starting an interpreter.
    """
    try:
        with os.scandir(folder or ".") as entries:
            metadata = [
                entry.path for entry in entries if entry.name.endswith(_METADATA)
            ]
    except FileNotFoundError:
        return False
    except OSError:
        # A zip file, for example, which importlib.metadata can read.
        return True
    return any(map(_declares, metadata))


def _declares(metadata: str) -> bool:
    try:
        with open(f"{metadata}/entry_points.txt", "rb") as file:  # noqa: PTH123
            return _HEADER in file.read()
    except OSError:
        # Most packages have no entry points.
        return False


def _summary(module: "ModuleType") -> str:
    is_group = hasattr(module, "COMMANDS")
    # A group explains itself in the docstring of its module.
    docstring = module.__doc__ if is_group else module.command.__doc__
    return (docstring or "").strip().partition("\n")[0]
