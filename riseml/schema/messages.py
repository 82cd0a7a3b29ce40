"""Words about a node that is not what was expected: what it is, and how to write what it seems to mean."""

from collections.abc import Sequence

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from riseml.excerpts import excerpt
from riseml.schema.yaml_kinds import BOOL, FLOAT, INT, NULL, STR, decimal_of, kind_of
from riseml.schema.yaml_parser import QUOTE_BRACES

_NOUNS: dict[type[Node], str] = {MappingNode: "a mapping", SequenceNode: "a list"}
# By the kind of a scalar; the braces stand for its text.
_SCALAR_NOUNS = {
    NULL: "{}",
    BOOL: "{}",
    INT: "the number {}",
    FLOAT: "the number {}",
    STR: "'{}'",
}
# YAML 1.1 read these words as truth values.
_YES_NO = {
    "yes": "true",
    "y": "true",
    "on": "true",
    "no": "false",
    "n": "false",
    "off": "false",
}
# Comparing long words is slow, and a misspelt key is short.
_MAX_COMPARED_CHARACTERS = 40
# A larger number is not spelled out.
_MAX_SPELLED_OUT = 10**15


def describe(node: Node) -> str:
    """Return a noun for a node: `the number 3`."""
    if not isinstance(node, ScalarNode):
        return _NOUNS[type(node)]
    if node.tag not in _SCALAR_NOUNS:
        return f"a value with the tag {excerpt(node.tag)}"
    noun = _SCALAR_NOUNS[node.tag].format(excerpt(node.value))
    return noun or "nothing"


def remedy(node: Node, kinds: Sequence[str], *, braces: bool = False) -> str:
    """Return how to write what a node seems to mean as one of `kinds`; `braces`: it begins with `{{`."""
    if not isinstance(node, ScalarNode):
        return QUOTE_BRACES if braces else ""
    if node.tag == NULL:
        return "Give it a value, or remove the key."
    if STR in kinds:
        return "" if node.tag == STR else f'Put it in quotes: "{excerpt(node.value)}".'
    if node.tag == STR:
        return _unquoted(node.value, kinds)
    if node.tag == FLOAT and INT in kinds:
        return _without_fraction(node.value)
    return ""


def _without_fraction(text: str) -> str:
    """Return how to write a float that is a whole number."""
    number = decimal_of(text)
    if number is None or number != int(number):
        return ""
    return f"Write {int(number)}."


def _unquoted(text: str, kinds: Sequence[str]) -> str:
    bare = text.replace("_", "").strip().lower()
    if BOOL in kinds and bare in _YES_NO:
        return f"Write {_YES_NO[bare]}."
    if kind_of(bare) in kinds:
        return f"Write it without quotes: {bare}."
    return ""


def one_of(words: Sequence[str]) -> str:
    """Return words as a choice: `a, b or c`."""
    if len(words) == 1:
        return words[0]
    return f"{', '.join(words[:-1])} or {words[-1]}"


def number_text(count: int) -> str:
    """Return a number for a message; a huge one only as a bound."""
    return f"{count:,}" if count < _MAX_SPELLED_OUT else "more than 10^15"


def did_you_mean(word: str, choices: Sequence[str], otherwise: str = "") -> str:
    """Return advice that names the choice that was probably meant, or other advice if there is none."""
    near = nearest(word, choices)
    return f"Did you mean '{near}'?" if near else otherwise


def nearest(word: str, choices: Sequence[str], likeness: float = 0.6) -> str | None:
    """Return the choice that was probably meant, if one is at least so alike (0 to 1)."""
    # Only faulty files need it.
    from difflib import get_close_matches  # noqa: PLC0415

    compared = word[:_MAX_COMPARED_CHARACTERS].lower()
    near = get_close_matches(compared, choices, 1, likeness)
    return next(iter(near), None)
