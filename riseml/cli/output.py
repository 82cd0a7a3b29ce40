"""Output of all commands: data to stdout, everything else to stderr."""

import sys
from collections.abc import Iterable, Sequence
from typing import Any

from riseml.errors import InvalidInputError


def say(text: str) -> None:
    """Write a line of data, or several, to stdout."""
    write(text + "\n")


def write(text: str) -> None:
    """Write to stdout; characters outside its encoding become question marks."""
    try:
        sys.stdout.write(text)
    except UnicodeEncodeError:
        encoding = sys.stdout.encoding
        sys.stdout.write(text.encode(encoding, "replace").decode(encoding))


def note(text: str) -> None:
    """Write a line for people to stderr."""
    # Both may be the same terminal, where the order must not change.
    sys.stdout.flush()
    encoding = sys.stderr.encoding or "utf-8"
    sys.stderr.write(text.encode(encoding, "replace").decode(encoding) + "\n")
    sys.stderr.flush()


def printable(name: str) -> str:
    """Return the name of a file with bytes that are not UTF-8 in hexadecimal."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def lines(texts: Iterable[str]) -> None:
    """Write lines of data to stdout."""
    write("".join(f"{text}\n" for text in texts))


def data(value: Any, output_format: str) -> None:
    """Write plain data as `json` or `yaml`."""
    if output_format == "json":
        import json

        # Python writes NaN and Infinity, which are not JSON; here they become null.
        text = json.dumps(value, default=str)
        finite = json.loads(text, parse_constant=lambda _: None)
        say(json.dumps(finite, indent=2, ensure_ascii=False))
        return
    # Most commands print tables; importing PyYAML would slow them down.
    from riseml.manifest import to_yaml

    write(to_yaml(value))


def csv(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write rows as CSV below a line of titles."""
    # Values may contain commas, quotes and line ends.
    import csv as csv_module
    import io

    text = io.StringIO()
    writer = csv_module.writer(text, lineterminator="\n")
    writer.writerow(titles)
    writer.writerows(rows)
    write(text.getvalue())


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
