"""YAML as plain data, and faults with their positions."""

import math
from typing import Any

import pytest

from riseml.errors import InvalidInputError
from riseml.schema.plain_yaml import parse


def _content(text: str) -> dict[str, Any]:
    return parse(text, "file", "Write names.").content


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ("", {}),
        ("# only this\n", {}),
        ("~", {}),
        ("a: yes\nb: true\nc:\nd: 0x1f\n", {"a": "yes", "b": True, "c": None, "d": 31}),
        ("a: [1, 1.5, -.inf, x]", {"a": [1, 1.5, -math.inf, "x"]}),
        ("a: 2001-01-01\nb: '1'", {"a": "2001-01-01", "b": "1"}),
        ("a: !!str 5\n1: 2", {"a": "5", 1: 2}),
        ("a: &x {b: 1}\nc: {<<: *x, d: 2}", {"a": {"b": 1}, "c": {"b": 1, "d": 2}}),
        ("a: {<<: [{b: 1}, {b: 2, c: 3}], c: 4}", {"a": {"b": 1, "c": 4}}),
    ],
)
def test_data(text: str, content: dict[str, Any]) -> None:
    assert _content(text) == content


def test_positions_of_keys() -> None:
    file = parse("# first\nengine: local\n  \ngitignore: no\n", "file", "")
    assert file.positions == {"engine": "file:2:1", "gitignore": "file:4:1"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a", "file:1:1: this must be a mapping"),
        ("a: !!map x", "file:1:4: the tag tag:yaml.org,2002:map is not allowed"),
        ("a: 1\nb: !!python/object:x.Y {}", "file:2:4: the tag tag:yaml.org,2002:pyth"),
        ("a: !!binary x", "file:1:4: the tag tag:yaml.org,2002:binary is not allowed"),
        ("a: !!int x", "file:1:4: 'x' is not a number"),
        ("a: !!float ''", "file:1:4: '' is not a number"),
        ("a: " + "9" * 5000, "file:1:4: '9999"),
        ("a: &x [*x]", "file:1:4: this contains itself"),
        ("a: 1\n? [b]\n: 2", "file:2:3: a list or mapping cannot be a key"),
        ("a: 1\n<<: 3", "file:2:5: '<<' merges only mappings"),
        ("a: 1\na: 2", "file:2:1: duplicate key 'a'"),
        ("a: [", "file:1:5: the value that begins here is not closed"),
        ("a: 1\n---\nb: 2", "file:2:1: a second document begins here"),
        ("a: \x07", "file:1:4: the character U+0007 is not allowed in YAML"),
        ("a: " + "[" * 200, "more than 100 levels of nesting"),
    ],
)
def test_faults(text: str, message: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        _content(text)
    assert message in str(caught.value)
    assert caught.value.advice


def test_many_aliases_take_little_time_and_memory() -> None:
    lines = ["a0: &a0 [x]"]
    lines += [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 90)]
    assert _content("\n".join(lines))["a1"] == [["x"], ["x"]]


def test_no_error_shows_a_key() -> None:
    with pytest.raises(InvalidInputError) as caught:
        _content("users:\n- user: {api-key: secret-key\n- x: [")
    assert "secret-key" not in str(caught.value) + caught.value.advice
