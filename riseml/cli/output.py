"""Output of all commands: data to stdout, everything else to stderr."""

import sys
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

from riseml.errors import InvalidInputError

# Signs of our own texts that have an equivalent in ASCII
_ASCII_SIGNS = {"…": "...", "→": "->"}


def say(text: str) -> None:
    """Write a line of data, or several, to stdout."""
    write(text + "\n")


def write(text: str) -> None:
    """Write to stdout; characters that it cannot show become question marks."""
    sys.stdout.write(shown(text, sys.stdout))


def note(text: str) -> None:
    """Write a line for people to stderr."""
    # Both may be the same terminal, where the order must not change.
    sys.stdout.flush()
    sys.stderr.write(shown(text, sys.stderr) + "\n")
    sys.stderr.flush()


def notes(texts: Iterable[str]) -> None:
    """Write lines for people to stderr."""
    for text in texts:
        note(text)


def shown(text: str, stream: TextIO) -> str:
    """Return `text` with question marks for the characters that a stream cannot show."""
    # Most lines are ASCII, and every stream shows that.
    if text.isascii():
        return text
    from riseml.cli import terminal

    if terminal.shows_unicode(stream):
        # Names of files may have bytes that are not UTF-8.
        return text.encode("utf-8", "replace").decode("utf-8")
    for sign, word in _ASCII_SIGNS.items():
        text = text.replace(sign, word)
    encoding = str(stream.encoding)
    if encoding.startswith("utf"):
        encoding = "ascii"
    return text.encode(encoding, "replace").decode(encoding)


def printable(name: str) -> str:
    """Return the name of a file with bytes that are not UTF-8 in hexadecimal."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def lines(texts: Iterable[str]) -> None:
    """Write lines of data to stdout."""
    write("".join(map("{}\n".format, texts)))


def names(texts: Iterable[str]) -> None:
    """Write a line for each name, for programs."""
    write_exactly("".join(map("{}\n".format, texts)))


def write_exactly(text: str) -> None:
    """Write to stdout for programs, which read its encoding whatever a terminal shows."""
    try:
        sys.stdout.write(text)
    except UnicodeEncodeError:
        encoding = sys.stdout.encoding
        sys.stdout.write(text.encode(encoding, "replace").decode(encoding))


def data(value: Any, output_format: str) -> None:
    """Write plain data as `json` or `yaml`, which read back to the same data."""
    import json

    # Python writes NaN and Infinity, which are not JSON; here they become null.
    text = json.dumps(value, default=str)
    finite = json.loads(text, parse_constant=lambda _: None)
    if output_format == "json":
        write_exactly(json.dumps(finite, indent=2, ensure_ascii=False) + "\n")
        return
    # Most commands print tables; importing PyYAML would slow them down.
    from riseml.manifest import to_yaml

    write_exactly(to_yaml(finite))


def csv(rows: Iterable[Sequence[str]]) -> None:
    """Write rows as CSV; the first one may be the titles."""
    write_exactly(csv_text(rows))


def csv_text(rows: Iterable[Sequence[str]]) -> str:
    """Return rows as CSV."""
    # Values may contain commas, quotes and line ends.
    import csv as csv_module
    import io

    text = io.StringIO()
    writer = csv_module.writer(text, lineterminator="\n")
    writer.writerows(rows)
    return text.getvalue()


def confirm(question: str, *, yes: bool) -> bool:
    """Return whether to go ahead: with `--yes`, or if the user agrees.

    Raises:
        InvalidInputError: there is no terminal to ask on, and no `--yes`.
    """
    if yes:
        return True
    if not can_ask():
        # A script, a pipe or a notebook must not delete what nobody has confirmed.
        raise InvalidInputError(
            f"there is no terminal to ask on: {question}", "Give -y to agree."
        )
    return ask(question)


def ask(question: str) -> bool:
    """Ask a question on the terminal; only `y` and `yes` agree."""
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def can_ask() -> bool:
    """Return whether stdin and stderr are a terminal."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()
