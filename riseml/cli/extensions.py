"""Commands of other installed packages: entry points of the group `riseml.commands`.

`riseml.cli` documents the contract of their modules.
"""

from types import ModuleType

from riseml import plugins
from riseml.errors import RiseMLError

_KIND = "commands"


def names() -> tuple[str, ...]:
    """Return the names of all commands of other packages, sorted."""
    return plugins.names(_KIND)


def exists(name: str) -> bool:
    """Return whether another package has a command of this name."""
    return plugins.exists(_KIND, name)


def load(name: str) -> ModuleType:
    """Return the module of a command of another package.

    Raises:
        InvalidInputError: no package has a command of this name.
        RiseMLError: the module cannot be imported, or has no command.
    """
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
    lines = {}
    for name in names():
        try:
            module = load(name)
        except RiseMLError as error:
            lines[name] = f"({error})"
        else:
            lines[name] = _summary(module)
    return lines


def _summary(module: ModuleType) -> str:
    is_group = hasattr(module, "COMMANDS")
    # A group explains itself in the docstring of its module.
    docstring = module.__doc__ if is_group else module.command.__doc__
    return (docstring or "").strip().partition("\n")[0]
