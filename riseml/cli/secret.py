"""`riseml secret`."""

import sys
from typing import Annotated, Literal

import typer

from riseml.cli import output
from riseml.client.client import Client
from riseml.errors import InvalidInputError, NotFoundError

Act = Annotated[
    Literal["set", "list", "delete"],
    typer.Argument(help="What to do.", show_default=False),
]
Names = Annotated[
    list[str] | None,
    typer.Argument(metavar="[NAME]...", help="Variables.", show_default=False),
]


def command(act: Act, names: Names = None) -> None:
    """Manage secrets that jobs receive as environment variables.

    A riseml.yml names them under `secrets`. `set` asks for the value, or reads it from standard input.

    Examples:
      riseml secret set WANDB_API_KEY
      pass wandb | riseml secret set WANDB_API_KEY
      riseml secret list
    """
    client = Client()
    if act == "list":
        for name in client.secrets():
            output.say(name)
        return
    if not names:
        raise InvalidInputError(
            f"riseml secret {act} needs a name",
            f"For example: riseml secret {act} WANDB_API_KEY",
        )
    for name in names:
        if act == "set":
            client.set_secret(name, _value(name))
            output.note(f"{name} is set; jobs that name it under `secrets` get it.")
        elif not client.delete_secret(name):
            raise NotFoundError(
                f"there is no secret {name}",
                "`riseml secret list` names those that are set.",
            )


def _value(name: str) -> str:
    if sys.stdin.isatty():
        import getpass

        return getpass.getpass(f"Value of {name}: ")
    return sys.stdin.read().removesuffix("\n")
