"""What the user wrote, made safe for a document that Argo and the kubelet read first.

riseml.yml           Argo's document                  what the job gets
{{lr}}, {{ lr }}     {{inputs.parameters.lr}}         the value
${{ matrix.os }}     the same                         the same
$$                   $$$$                             $$
$(OUTPUT_DIR)        $$(OUTPUT_DIR)                   $(OUTPUT_DIR)
"""

import json
import re
from collections.abc import Iterable, Mapping

_PLACEHOLDER = re.compile(r"\{\{ *([\w-]+) *\}\}")
_EXPANDED = re.compile(r"\$\$+|\$(?=\([A-Z_][A-Z0-9_]*\))")


def reference(name: str) -> str:
    """Return Argo's tag for an input parameter."""
    return f"{{{{inputs.parameters.{name}}}}}"


def bind(text: str, tags: Mapping[str, str]) -> str:
    """Turn placeholders of declared parameters into their `tags`, and keep the rest as it is on its way to the job."""
    return _PLACEHOLDER.sub(lambda tag: tags.get(tag[1], tag[0]), literal(text))


def kept(name: str, values: Iterable[str]) -> str:
    """Return the tag for an input parameter, its `$` doubled where the kubelet would expand one of its values."""
    if any(_EXPANDED.search(value) for value in values):
        return f"{{{{=replace(inputs.parameters['{name}'], '$', '$$')}}}}"
    return reference(name)


def item(name: str, values: Iterable[str]) -> str:
    """Return the tag for a value of an item, which Argo gives as JSON writes it: read as JSON where that differs."""
    if any(json.dumps(value, ensure_ascii=False) != f'"{value}"' for value in values):
        return f"{{{{=fromJSON('\"' + item['{name}'] + '\"')}}}}"
    return f"{{{{item.{name}}}}}"


def literal(text: str) -> str:
    """Double the `$` of `$(NAME)` and `$$`, which the kubelet expands in `args` and `env`: so it gives them back."""
    return _EXPANDED.sub(lambda dollars: dollars[0] * 2, text)
