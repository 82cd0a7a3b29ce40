"""The only module that prints: data to stdout, everything else to stderr."""

import sys
from collections.abc import Iterable, Sequence
from typing import Any

_HUGE = float("inf")


def say(text: str) -> None:
    """Write lines of data to stdout."""
    write(text + "\n")


def write(text: str) -> None:
    """Write to stdout, characters that it cannot show replaced."""
    try:
        sys.stdout.write(text)
    except UnicodeEncodeError:
        encoding = sys.stdout.encoding
        sys.stdout.write(text.encode(encoding, "replace").decode(encoding))


def note(text: str) -> None:
    """Write a line for people to stderr."""
    sys.stdout.flush()
    encoding = sys.stderr.encoding or "utf-8"
    sys.stderr.write(text.encode(encoding, "replace").decode(encoding) + "\n")
    sys.stderr.flush()


def shown(name: str) -> str:
    """Return the name of a file as text that can be printed: bytes that are no UTF-8 in hexadecimal."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def lines(texts: Iterable[str]) -> None:
    """Print lines of data."""
    write("".join(f"{text}\n" for text in texts))


def data(value: Any, form: str) -> None:
    """Print plain data as `json` or `yaml`."""
    if form == "json":
        import json

        say(json.dumps(_finite(value), indent=2, ensure_ascii=False, default=str))
        return
    from riseml.manifest import to_yaml

    write(to_yaml(value))


def _finite(value: Any) -> Any:
    """Return data with null for the numbers that JSON has none for: NaN and the infinities."""
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not -_HUGE < value < _HUGE else value


def csv(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows as CSV with a line of titles."""
    import csv as format_
    import io

    text = io.StringIO()
    writer = format_.writer(text, lineterminator="\n")
    writer.writerow(titles)
    writer.writerows(rows)
    write(text.getvalue())


def ask(question: str) -> bool:
    """Ask yes or no on the terminal; anything but `y` or `yes` is no."""
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def can_ask() -> bool:
    """Whether somebody sits there to answer."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()
