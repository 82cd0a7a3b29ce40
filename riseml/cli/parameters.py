"""Declarations of arguments and options, which Typer reads when it is needed.

    def command(id: Annotated[str, Argument(metavar="ID")], ...) -> None: ...

`Argument` and `Option` take what Typer's functions of these names take. `riseml.cli.app`
makes those of them for help, errors and completion. Loading Typer takes longer than all
the rest of `riseml status`, so `riseml.cli.command_line` reads correct lines without it.
"""

from collections.abc import Callable, Mapping
from typing import Any

# From the values of the other parameters to the value of one that is not given.
FindDefault = Callable[[Mapping[str, Any]], object]


class Parameter:
    """What an argument and an option have in common.

    `metavar` is the placeholder in the help, and `min` the smallest value.
    """

    def __init__(
        self,
        *spellings: str,
        help: str,
        metavar: str | None = None,
        show_default: bool = True,
        min: int | None = None,
        find_default: FindDefault | None = None,
    ) -> None:
        self.spellings = spellings
        self.min = min
        self.find_default = find_default
        self._settings: dict[str, Any] = {
            "help": help,
            "metavar": metavar,
            "show_default": show_default,
            "min": min,
        }

    def to_typer(self) -> object:
        """Return what Typer reads in place of this."""
        raise NotImplementedError


class Argument(Parameter):
    """An argument of a command; it has no spellings."""

    def to_typer(self) -> object:
        """Return what Typer reads in place of this."""
        import typer

        argument: object = typer.Argument(**self._settings)
        return argument


class Option(Parameter):
    """An option of a command with its spellings, such as `-n` and `--num-last`.

    A flag that is on or off has both in one text: `--follow/--no-follow`.
    """

    def to_typer(self) -> object:
        """Return what Typer reads in place of this."""
        import typer

        option: object = typer.Option(*self.spellings, **self._settings)
        return option


def declared(function: Callable[..., object]) -> dict[str, Parameter]:
    """Return the parameters of a function that this module declares, by their names."""
    parameters = {}
    # A callable object has none.
    annotations: Mapping[str, object] = getattr(function, "__annotations__", {})
    for name, annotation in annotations.items():
        for metadata in getattr(annotation, "__metadata__", ()):
            if isinstance(metadata, Parameter):
                parameters[name] = metadata
    return parameters
