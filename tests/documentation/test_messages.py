"""Messages that docs/troubleshooting.md quotes: the sources contain each of them, and the page has every reason."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from riseml.status import reasons

ROOT = Path(__file__).parent.parent.parent
PAGE = ROOT / "docs" / "troubleshooting.md"
# Stands for values in the literals of the sources, and for `…` on the page.
_VALUE = "\0"
# A message that has backquotes itself stands between two of them.
_ROW = re.compile(r"\| (?P<quotes>`+) ?(?P<message>.+?) ?(?P=quotes) \|")
_REASONS = re.compile(r"^\| ([A-Z_]+(?:, [A-Z_]+)*) \|", re.MULTILINE)


def quoted() -> list[str]:
    """Return the messages in the first column of the page's tables."""
    rows = PAGE.read_text("utf-8").splitlines()
    messages = [row["message"] for row in map(_ROW.match, rows) if row]
    return [message for message in messages if not message.isupper()]


def words_of(message: str) -> list[str]:
    """Return the fixed words of a message, between its values."""
    return [words.strip() for words in message.split("…") if words.strip(" '`:.")]


def literals() -> list[str]:
    """Return all texts in the sources; a NUL character stands for each value."""
    texts: list[str] = []
    for file in sorted((ROOT / "riseml").rglob("*.py")):
        texts += _texts(ast.parse(file.read_text("utf-8")))
    for file in sorted((ROOT / "templates").glob("*.sh")):
        texts += file.read_text("utf-8").splitlines()
    return texts


def _texts(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(map(_text, node.values))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def _text(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    return _VALUE


def test_the_sources_contain_each_message() -> None:
    texts = "\n".join(text.replace("\n", " ") for text in literals())
    invented = []
    for message in quoted():
        words = ".*".join(map(re.escape, words_of(message)))
        if re.search(words, texts) is None:
            invented.append(message)
    assert invented == []
    assert len(quoted()) > 150


def test_messages_are_long_enough_to_be_recognized() -> None:
    short = [text for text in quoted() if len("".join(words_of(text))) < 7]
    assert not short


def test_the_page_has_every_reason() -> None:
    documented = {
        word
        for row in _REASONS.findall(reasons.__doc__ or "")
        for word in row.split(", ")
    }
    page = set(re.findall(r"`([A-Z_]+)`", PAGE.read_text("utf-8")))
    assert documented - page == set()
    assert len(documented) > 40
