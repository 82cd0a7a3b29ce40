"""Command `riseml schema`."""

from pathlib import Path
from typing import Annotated

from riseml.cli import output
from riseml.cli.parameters import Argument, Option
from riseml.errors import NotFoundError

Name = Annotated[
    str | None,
    Argument(
        metavar="NAME",
        show_default=False,
        help="Of what a command prints with `-o json`; default: of riseml.yml.",
    ),
]
List = Annotated[
    bool, Option("--list", help="List the names and versions of all schemas.")
]

_FOLDER = Path(__file__).parent.parent / "schemas"


def command(name: Name = None, list_: List = False) -> None:
    """Print the JSON Schema of riseml.yml, or of a command's output.

    Output of `-o json` has exactly the fields of its schema. The version is part of
    `$id`. Its second number rises with a new field, the first one with other changes.

    Examples:
      riseml schema > riseml.schema.json
      # and in riseml.yml:  # yaml-language-server: $schema=riseml.schema.json
      riseml schema status > status.schema.json
      riseml schema --list
    """
    if list_:
        output.lines(map(_summary, _names()))
    elif name is not None:
        output.write(_read(name))
    else:
        from riseml.config import json_schema

        output.data(json_schema(), "json")


def _names() -> list[str]:
    return sorted(path.stem for path in _FOLDER.glob("*.json"))


def _read(name: str) -> str:
    """Return the text of a schema.

    Raises:
        NotFoundError: there is none of this name.
    """
    names = _names()
    if name in names:
        return (_FOLDER / f"{name}.json").read_text("utf-8")
    from riseml.cli.failure import did_you_mean

    advice = f"{did_you_mean(name, names)}`riseml schema --list` lists all schemas."
    raise NotFoundError(f"there is no schema '{name}'", advice)


def _summary(name: str) -> str:
    import json

    identifier = json.loads(_read(name))["$id"]
    version = identifier.rpartition("-")[2].removesuffix(".json")
    return f"{name} {version}"
