"""What to say of a node that is not what was wanted: what it is, and what would be right."""

from collections.abc import Sequence

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from riseml.schema.yaml_document import (
    BOOL,
    FLOAT,
    INT,
    NULL,
    STR,
    decimal_of,
    excerpt,
    kind_of,
)

QUOTE_BRACES = "A value that begins with {{ must be in quotes."
_YES_NO = {
    "yes": "true",
    "y": "true",
    "on": "true",
    "no": "false",
    "n": "false",
    "off": "false",
}
# A larger number is not spelled out.
_MAX_SPELLED_OUT = 10**15
# Characters of a word that are compared with known ones
_COMPARED = 40


def describe(node: Node) -> str:
    """Say what a node is."""
    if isinstance(node, MappingNode):
        return "a mapping"
    if isinstance(node, SequenceNode):
        return "a list"
    text = excerpt(node.value)
    named = {
        NULL: text or "nothing",
        BOOL: text,
        INT: f"the number {text}",
        FLOAT: f"the number {text}",
    }
    return named.get(node.tag) or (
        f"'{text}'" if node.tag == STR else f"a value with the tag {excerpt(node.tag)}"
    )


def remedy(node: Node, kinds: Sequence[str], *, braces: bool = False) -> str:
    """Say how to write what the node seems to mean as one of `kinds`; `braces`: it begins with `{{`."""
    if not isinstance(node, ScalarNode):
        return QUOTE_BRACES if braces else ""
    text = node.value
    if node.tag == NULL:
        return "Give it a value, or remove the key."
    if node.tag == STR:
        return "" if STR in kinds else _unquoted(text, kinds)
    if STR in kinds:
        return f'Put it in quotes: "{excerpt(text)}".'
    if (
        INT in kinds
        and node.tag == FLOAT
        and (number := decimal_of(text)) is not None
        and number == int(number)
    ):
        return f"Write {int(number)}."
    return ""


def _unquoted(text: str, kinds: Sequence[str]) -> str:
    bare = text.replace("_", "").strip().lower()
    if BOOL in kinds and bare in _YES_NO:
        return f"Write {_YES_NO[bare]}."
    return (
        f"Write it without quotes: {bare}." if bare and kind_of(bare) in kinds else ""
    )


def one_of(words: Sequence[str]) -> str:
    """Say a choice of words."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def number_text(count: int) -> str:
    """Return a number for a message; a huge one only as a bound."""
    return f"{count:,}" if count < _MAX_SPELLED_OUT else "more than 10^15"


def nearest(word: str, known: Sequence[str], likeness: float = 0.6) -> str | None:
    """Return the known word that was probably meant."""
    # Needed for faulty files only
    from difflib import get_close_matches  # noqa: PLC0415

    near = get_close_matches(word[:_COMPARED].lower(), known, 1, likeness)
    return near[0] if near else None
