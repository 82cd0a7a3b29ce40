r"""Quoting of a parameter's values in YAML, chosen once for all experiments of a plan.

all values are              in riseml-configuration.yml
numbers, simple words       lr: {{inputs.parameters.lr}}
without a single quote      opt: '{{inputs.parameters.opt}}'
without `"` and `\`          opt: "{{inputs.parameters.opt}}"
anything else               opt: {{inputs.parameters.riseml-quoted-opt}}, quoted text that each item brings
"""

import re
from collections.abc import Iterable

from riseml import labels
from riseml.compiler.text import parameter
from riseml.compiler.unprintable import is_unprintable
from riseml.errors import InvalidInputError
from riseml.excerpts import excerpt

_NUMBER = r"[-+]?(?:(?:0|[1-9]\d*)(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?"
_WORD = r"true|false|(?!(?i:y|n|yes|no|on|off|true|false|null|nan|inf)$)[A-Za-z][A-Za-z0-9_./-]*"
_FORMS = (
    (re.compile(f"{_NUMBER}|{_WORD}", re.ASCII), "{}"),
    (re.compile(r"[ -&(-~]*"), "'{}'"),
    (re.compile(r"[ !#-\[\]-~]*"), '"{}"'),
)


def form(values: Iterable[str]) -> str | None:
    """Return how to write any of the values, with `{}` for the value.

    None means that the values need different quoting.

    Raises:
        InvalidInputError: Argo cannot pass on one of them.
    """
    distinct = set(values)
    for value in distinct:
        _check(value)
    for pattern, text in _FORMS:
        if all(map(pattern.fullmatch, distinct)):
            return text
    return None


def companion(name: str) -> str:
    """Return the name of the parameter that carries the quoted text of another one."""
    return f"{labels.OWN}quoted-{parameter(name)}"


def _check(value: str) -> None:
    """Refuse a value that Argo would break.

    When Argo replaces a tag, it quotes the value as Go does and reads the result as
    JSON, which has fewer escapes.
    """
    for char in value:
        if _is_lost(char):
            raise InvalidInputError(
                f"the value '{excerpt(value)}' of a parameter contains the character "
                f"U+{ord(char):04X}, which Argo cannot pass on",
                "Use a name as the value, and put the character itself into the code.",
            )


def _is_lost(char: str) -> bool:
    if char < " ":
        return char not in "\b\t\n\f\r"
    return char == "\x7f" or is_unprintable(char)
