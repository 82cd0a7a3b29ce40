"""Command `riseml secret`."""

import sys
from typing import Annotated, Literal, TypedDict

from riseml.cli import formats, options, output
from riseml.cli.documents import Document
from riseml.cli.parameters import Argument
from riseml.client.client import Client
from riseml.errors import InvalidInputError, NotFoundError
from riseml.excerpts import excerpt

# Shorter values are likely to be parts of words.
_SHORT = 6

Action = Annotated[
    Literal["set", "list", "delete"],
    Argument(metavar="set|list|delete", help="What to do.", show_default=False),
]
Names = Annotated[
    list[str] | None,
    Argument(metavar="NAME", help="Names of variables.", show_default=False),
]


class SecretRecord(TypedDict):
    """A secret that is set; its value is never printed."""

    name: str


DOCUMENTS = {"secret": Document(list[SecretRecord])}


def command(
    action: Action,
    names: Names = None,
    output_format: options.OutputFormat = "table",
) -> None:
    """Manage secrets that jobs receive as environment variables.

    A job receives the secrets that its riseml.yml lists under `secrets`. Their values
    appear neither in files of the project nor in logs and results, where `***` replaces
    them.

    Actions:
      set NAME        Set a secret; ask for its value, or read it from standard input.
      list            Print the names of all secrets.
      delete NAME...  Delete secrets.

    Examples:
      riseml secret set WANDB_API_KEY
      pass wandb | riseml secret set WANDB_API_KEY
      riseml secret list
    """
    client = Client()
    # Values are never printed: whoever can see the screen could read them.
    if action == "list":
        _list(client, output_format)
        return
    if output_format != "table":
        raise InvalidInputError(
            f"riseml secret {action} prints nothing", "Only `list` takes -o."
        )
    if not names:
        raise InvalidInputError(
            f"riseml secret {action} needs a name",
            f"For example: riseml secret {action} WANDB_API_KEY",
        )
    if action == "set":
        _refuse_values(names)
    for name in names:
        if action == "set":
            value = _read_value(name)
            client.set_secret(name, value)
            output.note(
                f"{excerpt(name)} is set. Jobs receive it if their riseml.yml lists it under `secrets`."
            )
            if len(value.strip()) < _SHORT:
                output.note(
                    "Its value is so short that other words contain it, too: `***` will"
                    " replace parts of them in logs."
                )
        elif not client.delete_secret(name):
            raise NotFoundError(
                f"there is no secret {name}", "`riseml secret list` lists all secrets."
            )


def _list(client: Client, output_format: str) -> None:
    names = client.secrets()
    if formats.is_for_people(output_format):
        output.lines(names)
        return
    records: list[SecretRecord] = [{"name": name} for name in names]
    data = formats.of_records(records, SecretRecord, "name")
    formats.write_data(data, output_format)


def _refuse_values(words: list[str]) -> None:
    """Refuse a value among the arguments, without showing it."""
    name, equals, _ = words[0].partition("=")
    if len(words) == 1 and not equals:
        return
    raise InvalidInputError(
        "riseml secret set takes one name, and reads the value from the terminal or from"
        " standard input: arguments are visible to all users of this machine, and the"
        " shell records them in its history",
        f"Run `riseml secret set {excerpt(name)}` and type the value, or `riseml secret set"
        f" {excerpt(name)} < FILE`. If the arguments contained the value, remove them from"
        " the history.",
    )


def _read_value(name: str) -> str:
    if sys.stdin.isatty():
        import getpass

        # Hides what is typed
        return getpass.getpass(f"Value of {name}: ")
    # `echo` and password managers end their output with a line end.
    return sys.stdin.read().removesuffix("\n")
