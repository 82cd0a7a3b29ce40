"""What the user wrote, made safe for a document that Argo and the kubelet read first.

riseml.yml           Argo's document                  what the job gets
{{lr}}, {{ lr }}     {{inputs.parameters.lr}}         the value
${{ matrix.os }}     the same                         the same
$$                   $$$$                             $$
$(OUTPUT_DIR)        $$(OUTPUT_DIR)                   $(OUTPUT_DIR)
"""

import re
from collections.abc import Collection

_PLACEHOLDER = re.compile(r"\{\{ *([\w-]+) *\}\}")
_EXPANDED = re.compile(r"\$\$+|\$(?=\([A-Z_][A-Z0-9_]*\))")


def reference(name: str) -> str:
    """Return Argo's tag for an input parameter."""
    return f"{{{{inputs.parameters.{name}}}}}"


def bind(text: str, names: Collection[str]) -> str:
    """Turn placeholders of declared parameters into Argo's tags, and keep the rest as it is on its way to the job."""
    return _PLACEHOLDER.sub(lambda tag: reference(tag[1]) if tag[1] in names else tag[0], literal(text))


def literal(text: str) -> str:
    """Double the `$` of `$(NAME)` and `$$`, which the kubelet expands in `args` and `env`: so it gives them back."""
    return _EXPANDED.sub(lambda dollars: dollars[0] * 2, text)


def variable(parameter: str) -> str:
    """Return the environment variable that carries a parameter."""
    return re.sub(r"\W", "_", parameter.upper())
