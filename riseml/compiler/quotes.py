r"""How the values of a parameter are quoted in YAML, decided once for all experiments of a plan.

all values are              in riseml-configuration.yml
numbers, simple words       lr: {{inputs.parameters.lr}}
without a single quote      opt: '{{inputs.parameters.opt}}'
without `"` and `\`          opt: "{{inputs.parameters.opt}}"
anything else               opt: {{inputs.parameters.riseml-quoted-opt}}, the quoted text as an item's own value
"""

import re
from collections.abc import Iterable

from riseml import labels
from riseml.errors import InvalidInputError

_NUMBER = r"[-+]?(?:(?:0|[1-9]\d*)(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?"
_WORD = r"true|false|(?!(?i:y|n|yes|no|on|off|true|false|null|nan|inf)$)[A-Za-z][A-Za-z0-9_./-]*"
_FORMS = (
    (re.compile(f"{_NUMBER}|{_WORD}", re.ASCII), "{}"),
    (re.compile(r"[ -&(-~]*"), "'{}'"),
    (re.compile(r"[ !#-\[\]-~]*"), '"{}"'),
)


def form(values: Iterable[str]) -> str | None:
    """Return how to write any of the values, `{}` standing for it; None where they need quoting one by one.

    Raises:
        InvalidInputError: Argo cannot hand on one of them.
    """
    distinct = set(values)
    for value in distinct:
        _check(value)
    return next(
        (text for pattern, text in _FORMS if all(map(pattern.fullmatch, distinct))),
        None,
    )


def companion(name: str) -> str:
    """Return the name of the parameter that carries the quoted text of another one."""
    return f"{labels.OWN}quoted-{name}"


def _check(value: str) -> None:
    """Refuse what Argo breaks: it quotes as Go does when it replaces a tag, and reads that as JSON: fewer escapes."""
    if odd := next((c for c in value if _is_unspeakable(c)), None):
        raise InvalidInputError(
            f"the value {value!r} of a parameter holds the character U+{ord(odd):04X}, which Argo cannot hand on",
            "Let the value name what is meant, and put the character itself into the code.",
        )


def _is_unspeakable(char: str) -> bool:
    if char < " ":
        return char not in "\b\t\n\f\r"
    return char == "\x7f" or (char > "\uffff" and not char.isprintable())
