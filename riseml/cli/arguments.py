"""Arguments of the commands that take a riseml.yml: the file, and changes of its values.

riseml train FILE.yml lr=0.1 hidden=16,64 --set train.timeout=1h
             a word without `=` that ends in .yml or .yaml names the file
"""

from typing import Annotated

import typer

from riseml.client.project_folder import CONFIG_FILE
from riseml.client.types import Overrides
from riseml.errors import InvalidInputError
from riseml.excerpts import excerpt

Words = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="NAME=VALUE",
        show_default=False,
        help="A value of a parameter (lr=0.1, hidden=16,64 or epochs=5..20..5), or the file.",
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Set any other key, such as train.timeout=1h; can be repeated.",
    ),
]

_ENDINGS = (".yml", ".yaml")


def names_file(words: list[str] | None) -> bool:
    """Return whether arguments name a riseml.yml."""
    return any(map(_is_file, words or ()))


def read(
    config_file: str, words: list[str] | None, settings: list[str] | None
) -> tuple[str, Overrides]:
    """Return the riseml.yml that arguments name, and the changes of its values.

    `config_file` is the value of `-f`.

    Raises:
        InvalidInputError: a word is neither a file nor NAME=VALUE, or there are two files.
    """
    files, parameters = [], []
    for word in words or ():
        if "=" in word:
            parameters.append(word)
        elif _is_file(word):
            files.append(word)
        else:
            raise InvalidInputError(
                f"'{excerpt(word)}' is neither NAME=VALUE nor a file FILE.yml",
                "Write for example lr=0.1, or hidden=16,64 for several values.",
            )
    if len(files) > 1 or (files and config_file != CONFIG_FILE):
        raise InvalidInputError("only one file can be used", "Name it once.")
    overrides = Overrides(tuple(parameters), tuple(settings or ()))
    return files[0] if files else config_file, overrides


def _is_file(word: str) -> bool:
    return "=" not in word and word.endswith(_ENDINGS)
