"""Arguments of the commands that take a riseml.yml: the file, and changes of its values.

riseml train FILE.yml lr=0.1 hidden=16,64 --set train.timeout=1h
             a word without `=` that ends in .yml or .yaml names the file
"""

import re
from itertools import filterfalse
from typing import Annotated

from riseml.cli.parameters import Argument, Option
from riseml.client.project_folder import CONFIG_FILE
from riseml.client.types import Overrides
from riseml.errors import InvalidInputError

Words = Annotated[
    list[str] | None,
    Argument(
        metavar="NAME=VALUE",
        show_default=False,
        help="A value of a parameter (lr=0.1, hidden=16,64 or epochs=5..20..5), or a riseml.yml.",
    ),
]
Settings = Annotated[
    list[str] | None,
    Option(
        "--set",
        metavar="KEY=VALUE",
        help="Set any other key, such as train.timeout=1h; can be repeated.",
    ),
]


def _is_file(word: str) -> bool:
    return re.fullmatch(r"[^=]+\.ya?ml", word) is not None


def names_file(words: list[str] | None) -> bool:
    """Return whether arguments name a riseml.yml."""
    return any(map(_is_file, words or ()))


def read(
    config_file: str, words: list[str] | None, settings: list[str] | None
) -> tuple[str, Overrides]:
    """Return the riseml.yml that arguments name, and the changes of its values.

    `config_file` is the value of `-f`. Whether the changes make sense is checked when the
    file is.

    Raises:
        InvalidInputError: there are two files.
    """
    words = words or []
    files = list(filter(_is_file, words))
    if config_file != CONFIG_FILE:
        files.append(config_file)
    if len(files) > 1:
        raise InvalidInputError(
            f"{files[0]} and {files[1]} cannot be used together",
            "Name one configuration, as an argument or with -f.",
        )
    file = files[0] if files else CONFIG_FILE
    parameters = tuple(filterfalse(_is_file, words))
    return file, Overrides(parameters, tuple(settings or ()))
