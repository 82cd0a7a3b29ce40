"""Kinds of values: each one reads a node, notes faults with their positions, and has a JSON Schema."""

from dataclasses import dataclass
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from riseml.schema.fields import (
    LARGEST,
    Boolean,
    Choice,
    Integer,
    Mapped,
    Nullable,
    OneOrMany,
    PluginName,
    Record,
    Shorthand,
    Text,
    Value,
    underscored,
)
from riseml.schema.yaml_document import Document

NAMES = ("first", "second")


@dataclass(frozen=True)
class Options:
    """Result of the record in these tests."""

    count: int = 1
    max_count: int = 9


TEXT = Text("a word", "[a-z]+", "Write for example ab.", most=5)
PLUGIN = PluginName(NAMES.__contains__, lambda: NAMES)
RECORD = Record(
    Options,
    {"count": Integer(1).says("How many."), "max_count": Integer(1)},
    required={"count": "Write for example count: 2."},
    hints={"number": "Write count."},
)
SHORTHAND = Shorthand(Integer(1), Options, RECORD)


def read(value: Value[Any], text: str) -> tuple[Any, list[str]]:
    """Return what a value reads from YAML, and the faults as position, message and advice."""
    document = Document("riseml.yml", text)
    node = document.root()
    assert node
    result = value.read(node, "key", document)
    faults = []
    for fault in document.faults:
        faults.append(f"{fault.line}:{fault.column} {fault.message} / {fault.advice}")
    return result, faults


@pytest.mark.parametrize(
    ("value", "text", "result"),
    [
        (Text(), "some words", "some words"),
        (Text(lines=True), '"two\\nlines"', "two\nlines"),
        (TEXT, "ab", "ab"),
        (Choice(*NAMES), "second", "second"),
        (PLUGIN, "first", "first"),
        (Boolean(), "true", True),
        (Boolean(), "false", False),
        (Integer(0), "0", 0),
        (Integer(1), str(LARGEST), LARGEST),
        (Nullable(Integer(1)), "3", 3),
        (Nullable(Integer(1)), "~", None),
        (Nullable(RECORD, empty=True), "{}", None),
        (OneOrMany(Integer(1)), "3", (3,)),
        (OneOrMany(Integer(1)), "[3, 4]", (3, 4)),
        (OneOrMany(Integer(1)), "[]", ()),
        (SHORTHAND, "3", Options(3)),
        (SHORTHAND, "{count: 3, max_count: 4}", Options(3, 4)),
        (Mapped(TEXT, Integer(1)), "{a: 1, b: 2}", {"a": 1, "b": 2}),
        (RECORD, "{count: 3}", Options(3)),
        (RECORD, "{count: 3, max-count: 4}", Options(3, 4)),
    ],
)
def test_a_valid_value_is_read_and_matches_its_schema(
    value: Value[Any], text: str, result: object
) -> None:
    assert read(value, text) == (result, [])
    assert validator(value).is_valid(plain(text))


@pytest.mark.parametrize(
    ("value", "text", "fault"),
    [
        (Text(), "{}", "1:1 key must be text, not a mapping / "),
        (Text(), '"a\\eb"', "1:1 key contains the control character U+001B / Remove it."),
        (TEXT, "AB", "1:1 key must be a word, not 'AB' / Write for example ab."),
        (TEXT, "abcdef", "1:1 key must have at most 5 characters, not 6 / "),
        (Choice(*NAMES), "secnod", "1:1 key must be first or second, not 'secnod' / Did you mean 'second'?"),
        (PLUGIN, "frist", "1:1 key must be first or second, not 'frist' / Did you mean 'first'?"),
        (Boolean(), "1", "1:1 key must be true or false, not the number 1 / "),
        (Integer(1), "0", "1:1 key must be a whole number of at least 1, not the number 0 / "),
        (Integer(1), str(LARGEST + 1), "1:1 key is out of range: 2147483648 / "),
        (Nullable(Integer(1)), "0", "1:1 key must be a whole number of at least 1, not the number 0 / "),
        (OneOrMany(Boolean()), "[true, 0]", "1:8 entry 2 of key must be true or false, not the number 0 / "),
        (OneOrMany(Boolean()), "{}", "1:1 key must be true or false, or a list of them, not a mapping / "),
        (OneOrMany(Integer(1), unique=True), "[1, 2, 1]", "1:8 '1' appears twice in key / Remove one."),
        (SHORTHAND, "[]", "1:1 key must be a whole number of at least 1, or a mapping, not a list / "),
        (Mapped(TEXT, Integer(1)), "[]", "1:1 key must be a mapping, not a list / "),
        (Mapped(TEXT, Integer(1)), "{a: 0}", "1:5 key.a must be a whole number of at least 1, not the number 0 / "),
        (Mapped(TEXT, Integer(1)), "{A: 1}", "1:2 the name 'A' in key must be a word, not 'A' / Write for example ab."),
        (RECORD, "[]", "1:1 key must be a mapping, not a list / Write its keys without '- ' before them."),
        (RECORD, "{}", "1:1 'count' is missing in key / Write for example count: 2."),
        (RECORD, "{cuont: 1}", "1:2 unknown key 'cuont' in key / Did you mean 'count'?"),
        (RECORD, "{count: 1, number: 1}", "1:12 unknown key 'number' in key / Write count."),
        (RECORD, "{count: 1, x: 1}", "1:12 unknown key 'x' in key / Known keys: count, max_count."),
    ],
)  # fmt: skip
def test_a_fault_has_a_position_and_advice_and_contradicts_the_schema(
    value: Value[Any], text: str, fault: str
) -> None:
    _, faults = read(value, text)
    assert faults == [fault]
    assert not validator(value).is_valid(plain(text))


@pytest.mark.parametrize(
    ("value", "schema"),
    [
        (TEXT, {"type": "string", "pattern": "^(?:[a-z]+)$", "maxLength": 5}),
        (Choice(*NAMES), {"enum": ["first", "second"]}),
        (PLUGIN, {"enum": ["first", "second"]}),
        (Boolean(), {"type": "boolean"}),
        (Integer(1), {"type": "integer", "minimum": 1, "maximum": LARGEST}),
        (Nullable(Boolean()), {"anyOf": [{"type": "null"}, {"type": "boolean"}]}),
        (
            Nullable(Boolean(), empty=True),
            {
                "anyOf": [
                    {"type": "null"},
                    {"type": "object", "maxProperties": 0},
                    {"type": "boolean"},
                ]
            },
        ),
        (
            OneOrMany(Boolean(), unique=True),
            {
                "anyOf": [
                    {"type": "boolean"},
                    {
                        "type": "array",
                        "items": {"type": "boolean"},
                        "uniqueItems": True,
                    },
                ]
            },
        ),
        (SHORTHAND, {"anyOf": [Integer(1).schema(), RECORD.schema()]}),
        (
            Mapped(TEXT, Boolean()),
            {
                "type": "object",
                "propertyNames": TEXT.schema(),
                "additionalProperties": {"type": "boolean"},
            },
        ),
        (
            RECORD,
            {
                "type": "object",
                "properties": {
                    "count": {"description": "How many.", **Integer(1).schema()},
                    "max_count": Integer(1).schema(),
                    "max-count": Integer(1).schema(),
                },
                "required": ["count"],
                "additionalProperties": False,
            },
        ),
    ],
)
def test_each_kind_describes_its_schema(
    value: Value[Any], schema: dict[str, Any]
) -> None:
    assert value.schema() == schema
    assert value.says("A sentence.").described() == {
        "description": "A sentence.",
        **schema,
    }
    # `says` returns a copy.
    assert value.described() == schema


def test_a_record_checks_its_values_together() -> None:
    def check(
        values: Any, entries: Any, _node: object, name: str, document: Document
    ) -> None:
        if values["count"] > values["max_count"]:
            document.error(entries["count"][1], f"{name} has a large count")

    record = Record(Options, RECORD.keys, check=check)
    assert read(record, "{count: 1, max-count: 2}") == (Options(1, 2), [])
    assert read(record, "{count: 3, max-count: 2}") == (
        None,
        ["1:9 key has a large count / "],
    )


def test_keys_are_compared_with_underscores() -> None:
    assert underscored("max-count_a") == "max_count_a"


def plain(text: str) -> object:
    """Return YAML as the plain data that a JSON Schema describes."""
    return yaml.safe_load(text)


def validator(value: Value[Any]) -> Draft202012Validator:
    """Return a validator of a value's schema, which must itself be valid."""
    Draft202012Validator.check_schema(value.schema())
    return Draft202012Validator(value.schema())
