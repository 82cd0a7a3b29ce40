"""Escaping of the user's text for a document that Argo and the kubelet interpret first.

riseml.yml           Argo's document                  the job gets
{{lr}}, {{ lr }}     {{inputs.parameters.lr}}         the value
${{ matrix.os }}     the same                         the same
$$                   $$$$                             $$
$(OUTPUT_DIR)        $$(OUTPUT_DIR)                   $(OUTPUT_DIR)
"""

import re
from collections.abc import Iterable, Mapping

from riseml import labels

KILLED = f"{{{{workflow.annotations.{labels.KILLED}}}}}"
"""Argo's tag for the record of killed experiments."""

_PLACEHOLDER = re.compile(r"\{\{ *([\w.-]+) *\}\}")
# A pattern takes a tenth of the time of a comparison with what `json` writes.
_ESCAPED_BY_JSON = re.compile(r'["\\\x00-\x1f]')
_EXPANDED = re.compile(r"\$\$+|\$(?=\([A-Z_][A-Z0-9_]*\))")


def parameter(name: str) -> str:
    """Return the name of Argo's parameter for a parameter of the user.

    Argo allows no dots. Two parameters never get the same name, since their variables
    differ.
    """
    return name.replace(".", "_")


def reference(name: str) -> str:
    """Return Argo's tag for an input parameter."""
    return f"{{{{inputs.parameters.{parameter(name)}}}}}"


def bind(text: str, tags: Mapping[str, str]) -> str:
    """Replace placeholders of declared parameters by their `tags`; escape the remaining text."""
    return replaced(literal(text), tags)


def replaced(text: str, texts: Mapping[str, str]) -> str:
    """Replace placeholders by the texts that are given for them."""
    return _PLACEHOLDER.sub(lambda match: texts.get(match[1], match[0]), text)


def placeholders(text: str) -> list[str]:
    """Return the names in the placeholders of a text, in their order."""
    return _PLACEHOLDER.findall(text)


def safe_reference(name: str, values: Iterable[str]) -> str:
    """Return the tag for an input parameter whose values the kubelet must not expand."""
    if any(_EXPANDED.search(value) for value in values):
        return f"{{{{=replace(inputs.parameters['{parameter(name)}'], '$', '$$')}}}}"
    return reference(name)


def item(name: str, values: Iterable[str]) -> str:
    """Return the tag for a value of an item.

    Argo inserts the value as JSON writes it, so one that JSON escapes is decoded.
    """
    if any(map(_ESCAPED_BY_JSON.search, values)):
        # In expressions, Argo makes a mapping of names with dots.
        path = name.replace(".", "']['")
        return f"{{{{=fromJSON('\"' + item['{path}'] + '\"')}}}}"
    return f"{{{{item.{name}}}}}"


def literal(text: str) -> str:
    """Double each `$` of `$(NAME)` and `$$`, which the kubelet expands in `args` and `env`."""
    return _EXPANDED.sub(lambda dollars: dollars[0] * 2, text)
