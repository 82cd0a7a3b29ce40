"""Tables of all messages in the sources, for docs/reference/messages.md: errors, faults, findings and explanations."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import exit_code_reference

PACKAGE = Path(__file__).parents[2] / "riseml"
VALUE = "…"
"""Placeholder for a value in a message."""

# Fewer letters are not the words of a message.
_FEWEST_LETTERS = 8
_HEAD = "| message | what to do |\n|---|---|\n"


@dataclass(frozen=True, order=True)
class Message:
    """A message with its advice, both with VALUE in place of values, and the exit status of an error."""

    text: str
    advice: str
    status: int = 0


@dataclass(frozen=True)
class Kind:
    """Messages that calls of certain functions make; the message and the advice are arguments of these calls."""

    title: str
    folders: tuple[str, ...]
    functions: tuple[str, ...]
    text: int
    advice: int


KINDS = (
    Kind("Faults in riseml.yml", ("config", "schema"), ("error", "warn"), 1, 2),
    Kind(
        "Findings of riseml doctor", ("doctor", "engines"), ("failed", "warning"), 0, 1
    ),
    Kind("Explanations of riseml why", ("diagnosis",), ("cause",), 1, 3),
)


def markdown() -> str:
    """Return the tables."""
    parts = [_errors()]
    for kind in KINDS:
        parts.append(f"## {kind.title}\n\n{_table(messages(kind))}")
    return "\n\n".join(parts)


def messages(kind: Kind) -> list[Message]:
    """Return the messages of a kind in the order of the alphabet."""
    found = set()
    for folder in kind.folders:
        for call in _calls(folder):
            if _name(call) not in kind.functions or len(call.args) <= kind.text:
                continue
            text = _text(call.args[kind.text])
            if _is_message(text):
                found.add(Message(text, _argument(call, kind.advice)))
    return sorted(found, key=_order)


def error_messages() -> list[Message]:
    """Return the messages of all errors that a user can cause."""
    statuses = _statuses()
    found = set()
    for call in _calls(""):
        if _name(call) not in statuses or not call.args:
            continue
        text = _text(call.args[0])
        if _is_message(text):
            found.add(Message(text, _argument(call, 1), statuses[_name(call)]))
    return sorted(found, key=_order)


def _errors() -> str:
    by_status: dict[int, list[Message]] = {}
    for message in error_messages():
        by_status.setdefault(message.status, []).append(message)
    parts = []
    for status, group in sorted(by_status.items()):
        parts.append(f"## Errors with exit status {status}\n\n{_table(group)}")
    return "\n\n".join(parts)


def _statuses() -> dict[str, int]:
    """Return the exit status of each class of errors by its name, also of classes of single modules."""
    found = {}
    for error in exit_code_reference.classes():
        found[error.__name__] = error.exit_status
    for _, tree in _trees():
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and node.bases:
                base = ast.unparse(node.bases[0])
                if base in found:
                    found.setdefault(node.name, found[base])
    return found


def _table(group: list[Message]) -> str:
    rows = [f"| {_code(item.text)} | {_cell(item.advice)} |" for item in group]
    return _HEAD + "\n".join(rows)


def _code(text: str) -> str:
    """Return a text as code in a table."""
    text = _line(text).replace("|", "\\|")
    return f"`` {text} ``" if "`" in text else f"`{text}`"


def _cell(text: str) -> str:
    """Return an advice, whose commands stand between backquotes already."""
    text = _line(text)
    if text == VALUE:
        return ""
    # Outside of code, these would be markup.
    parts = text.split("`")
    for index in range(0, len(parts), 2):
        for character in "<*_[":
            parts[index] = parts[index].replace(character, f"\\{character}")
    return "`".join(parts).replace("|", "\\|")


def _line(text: str) -> str:
    return " ".join(text.split())


def _order(message: Message) -> tuple[str, Message]:
    # Several messages may have the same words.
    return message.text.replace(VALUE, "").strip(" '`").lower(), message


def _is_message(text: str) -> bool:
    return sum(map(str.isalpha, text)) >= _FEWEST_LETTERS


@cache
def _trees() -> list[tuple[Path, ast.Module]]:
    trees = []
    for file in sorted(PACKAGE.rglob("*.py")):
        trees.append((file, ast.parse(file.read_text("utf-8"))))
    return trees


@cache
def _all_calls() -> list[tuple[str, ast.Call]]:
    """Return the calls in all modules, each with the top folder of its module."""
    calls = []
    for file, tree in _trees():
        folder = file.relative_to(PACKAGE).parts[0]
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                calls.append((folder, node))
    return calls


def _calls(folder: str) -> Iterator[ast.Call]:
    """Yield the calls in the modules of a top folder of the package, of all if it is empty."""
    for top, call in _all_calls():
        if folder in {"", top}:
            yield call


def _name(call: ast.Call) -> str:
    """Return the name of the function that is called, without its module or object."""
    if isinstance(call.func, ast.Name):
        return call.func.id
    return call.func.attr if isinstance(call.func, ast.Attribute) else ""


def _argument(call: ast.Call, position: int) -> str:
    """Return the text of an argument, empty if there is none."""
    return _text(call.args[position]) if len(call.args) > position else ""


def _text(node: ast.expr) -> str:
    """Return a literal with VALUE in place of values."""
    if isinstance(node, ast.JoinedStr):
        return "".join(map(_text, node.values))
    if isinstance(node, ast.Constant):
        return str(node.value)
    return VALUE
