"""Messages never fill the screen with a value, or move the cursor by it."""

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from riseml import cli
from riseml.cli import app
from tests.cli.conftest import Riseml

VALUES = {
    "word": "x" * 5000,
    "words": "lorem ipsum " * 400,
    "quoted words": "it's not " * 500,
    "digits": "9" * 5000,
    "escapes": "a\x1b[31mb\x07\u202e\x9b2Jc\r",
    "lines": "a\nb" * 300,
}
# What must be there before the option in question is looked at.
FIRST = {"results": "1", "cp": "data://", "secret": "set", "config": "use"}


def functions() -> Iterator[tuple[str, Callable[..., Any]]]:
    for name in dict.fromkeys(cli.COMMANDS):
        module = cli.load(name)
        group = getattr(module, "COMMANDS", None)
        if group is None:
            yield name, module.command
            continue
        for word, function in group.items():
            yield f"{name} {word}", function


def command_lines(value: str) -> Iterator[list[str]]:
    """Yield command lines with a value for each argument and option of every command."""
    yield [value]
    yield [f"--{value}"]
    yield ["user", value]
    for name, function in functions():
        words = name.split()
        before = [FIRST[name]] if name in FIRST else []
        yield [*words, *before, f"--{value}"]
        yield [*words, *before, value]
        yield [*words, *before, value, value, value]
        for parameter in app.build(name, function).params:
            option = parameter.opts[-1]
            if option.startswith("-") and not getattr(parameter, "is_flag", False):
                yield [*words, *before, option, value]


def longest_quote(value: str, text: str) -> int:
    """Return the length of the longest part of a value that a text contains."""
    longest = 0
    for start in range(len(value) - 200):
        while value[start : start + longest + 1] in text:
            longest += 1
            if longest > 1000:
                return longest
    return longest


@pytest.mark.parametrize("kind", VALUES)
def test_no_value_of_an_argument_is_quoted_in_full_or_with_escapes(
    kind: str,
    riseml: Riseml,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    monkeypatch.setattr("sys.stdin", io.StringIO("x"))
    value, wrong = VALUES[kind], []
    for words in command_lines(value):
        result = riseml(*words)
        text = result.err.replace("\n", "").replace("\t", "")
        quoted = longest_quote(value, result.err)
        if (
            quoted > 200
            or not text.isprintable()
            or "Traceback" in text
            or "bug in RiseML" in text
        ):
            wrong.append((" ".join(words)[:60], quoted, result.err[:300]))
    assert not wrong, "\n".join(map(repr, wrong))
