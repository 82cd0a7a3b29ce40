"""Mutations of files that users write: of their bytes, of their lines, and of their YAML values."""

import random
from collections.abc import Callable, Sequence
from typing import Any

import yaml

# What has ever confused a reader of YAML, and what users paste by accident.
_FRAGMENTS = (
    *(
        b"\0",
        b"\t",
        b"\r",
        b"\r\n",
        b"\x85",
        b"\xe2\x80\xa8",
        b"\xef\xbb\xbf",
        b"\x1b[31m",
    ),
    *(
        b"\xff\xfe",
        b"\xc3",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        b"\x80",
        b"\xe2\x80\xae",
    ),
    *(b"&a", b"*a", b"*b", b"&a [*a]", b"<<: *a", b"<<: {}", b"<<: [1]", b"<<:"),
    *(b"!!python/object:os.system x", b"!!binary aGk=", b"!!binary x", b"!!set {a}"),
    *(
        b"!!timestamp 2001-13-45",
        b"!!int x",
        b"!!float x",
        b"!!omap [a: 1]",
        b"!x",
        b"!!pairs [a]",
    ),
    *(
        b"? ",
        b"? [a]\n: b",
        b"- ",
        b": ",
        b"#",
        b"|",
        b">",
        b"|-9",
        b"---",
        b"...",
        b"%YAML 9.9",
    ),
    *(
        b"{",
        b"}",
        b"[",
        b"]",
        b"{{",
        b"}}",
        b"{{n}}",
        b"{{ n }}",
        b"'",
        b'"',
        b'"\\x',
        b"`",
        b"@",
    ),
    *(
        b"null",
        b"~",
        b"true",
        b"no",
        b".nan",
        b"-.inf",
        b"1e999",
        b"-0",
        b"0x",
        b"0b1",
        b"0o8",
    ),
    *(
        b"1_000",
        b"190:20:30",
        b"2001-01-01",
        b"2001-13-45",
        b"9" * 5000,
        b"1e" + b"9" * 50,
    ),
    *(
        b"-1",
        b"0",
        b"1.5",
        b"10 GB",
        b"NaN",
        b"x" * 3000,
        "é".encode(),
        "\U0001f600".encode(),
    ),
    *(b"[" * 200, b"{a: " * 200, b"- " * 200, b"? " * 200, b"a: &x\n" * 50),
)
_VALUES: tuple[Any, ...] = (
    *(
        None,
        True,
        False,
        0,
        -1,
        1.5,
        10**30,
        float("inf"),
        float("nan"),
        "",
        " ",
        "x",
        "\n",
        "\0",
    ),
    *(
        "{{n}}",
        "${X}",
        "é" * 300,
        "a b",
        "../..",
        "-",
        "1",
        "true",
        "\u202e",
        "\ud7ff",
        "\U0001f600",
    ),
    *(
        [],
        [None],
        [[]],
        ["a", "a"],
        {},
        {"": ""},
        {"a": None},
        {"min": 1, "max": 0, "step": 0},
    ),
)
# Copies of copies grow; longer files find nothing more.
_MAX_BYTES = 20_000
_MAX_MUTATIONS = 4


class Mutator:
    """Makes new files from a corpus; the same seed makes the same files."""

    def __init__(self, corpus: Sequence[bytes], keys: Sequence[str], seed: int) -> None:
        self._corpus, self._keys = corpus, keys
        self._random = random.Random(seed)
        self._steps: tuple[Callable[[bytes], bytes], ...] = (
            self._insert_fragment,
            self._replace_fragment,
            self._flip,
            self._remove,
            self._repeat,
            self._splice,
            self._change_lines,
            self._change_indent,
            self._change_value,
            self._change_value,
        )

    def next(self) -> bytes:
        """Return the next file."""
        data = self._random.choice(self._corpus)
        for _ in range(self._random.randint(1, _MAX_MUTATIONS)):
            data = self._random.choice(self._steps)(data)[:_MAX_BYTES]
        return data

    def _position(self, data: bytes) -> int:
        return self._random.randint(0, len(data))

    def _range(self, data: bytes) -> tuple[int, int]:
        start = self._position(data)
        return start, start + self._random.choice((1, 2, 5, 20, 100))

    def _insert_fragment(self, data: bytes) -> bytes:
        at = self._position(data)
        return data[:at] + self._random.choice(_FRAGMENTS) + data[at:]

    def _replace_fragment(self, data: bytes) -> bytes:
        """Replace the value of a line, or a part of the text."""
        start, end = self._range(data)
        colon = data.find(b": ", start)
        if colon >= 0:
            start = colon + 2
            end = data.find(b"\n", start) % (len(data) + 1)
        return data[:start] + self._random.choice(_FRAGMENTS) + data[end:]

    def _flip(self, data: bytes) -> bytes:
        if not data:
            return bytes([self._random.randrange(256)])
        at = self._random.randrange(len(data))
        return data[:at] + bytes([self._random.randrange(256)]) + data[at + 1 :]

    def _remove(self, data: bytes) -> bytes:
        start, end = self._range(data)
        return data[:start] + data[end:]

    def _repeat(self, data: bytes) -> bytes:
        start, end = self._range(data)
        count = self._random.choice((2, 2, 3, 50))
        return data[:start] + data[start:end] * count + data[end:]

    def _splice(self, data: bytes) -> bytes:
        other = self._random.choice(self._corpus)
        return data[: self._position(data)] + other[self._position(other) :]

    def _change_lines(self, data: bytes) -> bytes:
        """Move, drop or repeat a line."""
        lines = data.split(b"\n")
        line = lines.pop(self._random.randrange(len(lines)))
        for _ in range(self._random.choice((0, 1, 2))):
            lines.insert(self._random.randint(0, len(lines)), line)
        return b"\n".join(lines)

    def _change_indent(self, data: bytes) -> bytes:
        lines = data.split(b"\n")
        index = self._random.randrange(len(lines))
        indent = self._random.choice((b" ", b"  ", b"\t", b"- "))
        lines[index] = indent + lines[index]
        return b"\n".join(lines)

    def _change_value(self, data: bytes) -> bytes:
        """Replace a value or a key of the YAML, if it is some."""
        try:
            content = yaml.safe_load(data)
            self._change_inside(content)
            return yaml.safe_dump(content, allow_unicode=True, sort_keys=False).encode()
        except (
            *(yaml.YAMLError, ValueError, TypeError),
            *(AttributeError, LookupError, RecursionError),
        ):
            # PyYAML raises all of these for faulty files.
            return self._insert_fragment(data)

    def _change_inside(self, content: Any) -> None:
        """Walk down to a random container, and change one of its entries."""
        while True:
            inner = list(content.values()) if isinstance(content, dict) else content
            if not isinstance(inner, list):
                return
            deeper = [item for item in inner if isinstance(item, dict | list) and item]
            if not deeper or self._random.random() < 0.3:
                break
            content = self._random.choice(deeper)
        value = self._random.choice(_VALUES)
        if isinstance(content, list):
            content.insert(self._random.randint(0, len(content)), value)
            return
        known = self._random.choice(self._keys)
        key = self._random.choice((*content, known)) if content else known
        if self._random.random() < 0.1:
            key = self._random.choice((1, None, True, 1.5, "", "\0", known.upper()))
        content[key] = value
