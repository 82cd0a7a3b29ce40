"""YAML's core schema: what a plain scalar is, so that `yes` is text and `1e-6` a number."""

import re
from decimal import Decimal
from typing import TypeGuard

from yaml.nodes import Node, ScalarNode, SequenceNode

STR, INT, FLOAT, BOOL, NULL, SEQ, MAP = (
    f"tag:yaml.org,2002:{kind}"
    for kind in ("str", "int", "float", "bool", "null", "seq", "map")
)

_WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), NULL),
    **dict.fromkeys(("true", "True", "TRUE", "false", "False", "FALSE"), BOOL),
}
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+").fullmatch
_FLOAT = re.compile(
    r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
).fullmatch
_BASES = {"0x": 16, "0o": 8}
# Longer or larger numbers are mistakes, and would take long to compute with.
_MAX_DIGITS = 40
_MAX_EXPONENT = 300


def is_scalar(node: Node | None, *kinds: str) -> TypeGuard[ScalarNode]:
    """Return whether a node is a scalar of one of these kinds."""
    return isinstance(node, ScalarNode) and node.tag in kinds


def text_of(node: Node | None) -> str:
    """Return the text of a scalar of any kind; "" for a list, a mapping or no node."""
    return node.value if isinstance(node, ScalarNode) else ""


def items_of(node: Node) -> list[Node]:
    """Return the items of a list; any other node is its own only item."""
    return list(node.value) if isinstance(node, SequenceNode) else [node]


def kind_of(text: str) -> str:
    """Return the tag of a plain scalar."""
    word = _WORDS.get(text)
    if word is not None:
        return word
    # Most scalars are words: this test spares them the regular expressions.
    if text[0] in "0123456789.+-":
        if _INT(text):
            return INT
        if _FLOAT(text):
            return FLOAT
    return STR


def decimal_of(text: str) -> Decimal | None:
    """Return the value of a number as YAML writes it.

    None means that the text is not a number, or that the number is infinite or absurdly
    long or large.
    """
    if len(text) > _MAX_DIGITS:
        return None
    kind = kind_of(text)
    if kind == INT:
        # Python reads `010` as an octal number only in its own source, YAML never does.
        base = _BASES.get(text[:2], 10)
        return Decimal(int(text, base))
    # Infinity and not-a-number are the only floats that end in a letter.
    if kind == FLOAT and text[-1] not in "fFnN":
        number = Decimal(text)
        return number if abs(number.adjusted()) <= _MAX_EXPONENT else None
    return None


def number_of(text: str) -> int | float | None:
    """Return the value of a number as YAML writes it; None for other or absurd text."""
    number = decimal_of(text) if text else None
    if number is not None:
        return int(number) if kind_of(text) == INT else float(number)
    # Infinity and not-a-number are the only floats that end in a letter.
    if text[-1:] in "fFnN" and _FLOAT(text):
        return float(text.replace(".", ""))
    return None
