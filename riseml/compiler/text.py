"""What the user wrote, made safe for a document that Argo and the kubelet read first.

riseml.yml           Argo's document                  what the job gets
{{lr}}, {{ lr }}     {{inputs.parameters.lr}}         the value
${{ matrix.os }}     the same                         the same
$$                   $$$$ (the kubelet halves it)     $$
$(OUTPUT_DIR)        $$(OUTPUT_DIR)                   $(OUTPUT_DIR)
"""

import re
from collections.abc import Collection
from decimal import ROUND_CEILING, Decimal

PLACEHOLDER = re.compile(r"\{\{ *([\w-]+) *\}\}")
_EXPANDED = re.compile(r"\$\$+|\$(?=\([A-Z_][A-Z0-9_]*\))")
_DECIMAL = {"G": 10**9, "M": 10**6, "k": 10**3}
_BINARY = {"Gi": 2**30, "Mi": 2**20, "Ki": 2**10}


def reference(name: str) -> str:
    """Return Argo's tag for an input parameter."""
    return f"{{{{inputs.parameters.{name}}}}}"


def bind(text: str, names: Collection[str]) -> str:
    """Turn placeholders of declared parameters into Argo's tags, and keep the rest from being expanded on the way."""
    return PLACEHOLDER.sub(lambda tag: reference(tag[1]) if tag[1] in names else tag[0], literal(text))


def literal(text: str) -> str:
    """Write `$` so that the kubelet, which knows `$(NAME)` and `$$` in `args` and `env`, gives back this very text."""
    return _EXPANDED.sub(lambda dollars: dollars[0] * 2, text)


def cores(cpus: Decimal) -> str:
    """Return cores as a Kubernetes quantity, finer than a thousandth rounded up."""
    thousandths = int((cpus * 1000).to_integral_value(ROUND_CEILING))
    return f"{thousandths // 1000}" if thousandths % 1000 == 0 else f"{thousandths}m"


def memory(count: int) -> str:
    """Return bytes as the shortest Kubernetes quantity that says exactly this."""
    texts = [f"{count // unit}{suffix}" for suffix, unit in (_DECIMAL | _BINARY).items() if count % unit == 0]
    return min([*texts, str(count)], key=len)
