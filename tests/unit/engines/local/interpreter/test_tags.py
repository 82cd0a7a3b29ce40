"""Tags, their replacement, and the items of a task."""

from typing import Any

import pytest

from riseml.engines.local.interpreter.tags import (
    fill,
    filler,
    item_name,
    item_values,
    replace,
    tags,
)

VALUES = {
    "inputs.parameters.lr": "0.1",
    "workflow.name": "w",
    "item": "{{workflow.name}}",
    "empty": "",
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("{{inputs.parameters.lr}}", "0.1"),
        ("{{ inputs.parameters.lr }}", "0.1"),
        ("a{{workflow.name}}b{{workflow.name}}", "awbw"),
        ("{{unknown}} {{ unknown }}", "{{unknown}} {{ unknown }}"),
        ("{{empty}}", ""),
        ("{{item}}", "{{workflow.name}}"),  # one level at a time
        ("{{", "{{"),
        ("}} {{workflow.name", "}} {{workflow.name"),
        (
            "{% if x %}{{ x }}{% endif %} {{workflow.name}}",
            "{% if x %}{{ x }}{% endif %} w",
        ),
        ("{{ a {{workflow.name}} }}", "{{ a w }}"),
        (
            "${{ matrix.os }} {{{{workflow.name}}}}",
            "${{ matrix.os }} {{{{workflow.name}}}}",
        ),
    ],
)
def test_replace(text: str, expected: str) -> None:
    assert replace(text, VALUES.get) == expected


def test_fill_replaces_tags_in_all_strings_of_a_copy() -> None:
    data = {
        "a{{workflow.name}}": [
            "{{workflow.name}}",
            {"b": "{{inputs.parameters.lr}}"},
            1,
            None,
            True,
        ]
    }
    assert fill(data, VALUES.get) == {"aw": ["w", {"b": "0.1"}, 1, None, True]}
    assert data["a{{workflow.name}}"][0] == "{{workflow.name}}"


def test_tags() -> None:
    data = {"{{k}}": ["x {{ a }}{{b}}", 3, "{{ c {{d}}", {"e": "{{"}]}
    unclosed = ["c without an end", " without an end"]
    assert list(tags(data)) == ["k", "a", "b", unclosed[0], "d", unclosed[1]]


@pytest.mark.parametrize(
    ("item", "values"),
    [
        ("text", {"item": "text"}),
        (7, {"item": "7"}),
        (False, {"item": "false"}),
        ({"b": "x", "a": 1}, {"item.b": "x", "item.a": "1", "item": '{"a":1,"b":"x"}'}),
        (
            {"q": 'say "ä"\n'},
            {"item.q": 'say \\"ä\\"\\n', "item": '{"q":"say \\"ä\\"\\n"}'},
        ),
    ],
)
def test_item_values(item: Any, values: dict[str, str]) -> None:
    assert item_values(item) == values


@pytest.mark.parametrize(
    ("item", "name"),
    [
        ({"sub": "1", "lr": "1e-6"}, "t(3:lr:1e-6,sub:1)"),
        ("f(x)", "t(3:fx)"),
        (12, "t(3:12)"),
        ({"a": "(", "B": "ü"}, "t(3:B:ü,a:)"),
    ],
)
def test_item_name(item: Any, name: str) -> None:
    assert item_name("t", 3, item) == name


def test_a_filler_fills_twice_and_copies_only_what_has_tags() -> None:
    values = {"a": "{{b}}", "b": "1", "key": "k"}
    plain = {"command": ["sh", "-c"], "env": [{"name": "X", "value": "{}"}]}
    data = {"plain": plain, "list": ["{{a}}", {"{{key}}": "x{{a}}"}, 3], "end": None}
    fill_data = filler(data)
    assert fill_data is not None
    filled = fill_data(values.get)
    assert filled == fill(fill(data, values.get), values.get)
    assert filled == {"plain": plain, "list": ["1", {"k": "x1"}, 3], "end": None}
    assert list(filled) == list(data)
    assert filled["plain"] is plain
    assert filler(plain) is None
