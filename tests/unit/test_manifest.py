"""Documents as text, and back."""

import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from riseml import manifest

AMBIGUOUS = [
    "", "~", "null", "Null", "yes", "No", "on", "OFF", "y", "N", "true", "False", "1", "-1", "+1", "1.0", ".5", "5.",
    "1e-6", "1E5", "1.0e-6", "010", "0o17", "0x1F", "0b1", "1_000", "1:30", "12:30:45", "2018-05-09",
    "2018-05-09T10:00:00Z", ".inf", "-.Inf", ".nan", "NaN", "inf", "=", "<<", "- a", "a: b", "a #b", "#a", "!tag",
    "&a", "*a", "@a", "`a", "%a", "|", ">", "{a}", "[a]", "{{lr}}", "'a'", '"a"', "a'b", " a", "a ", "a:", ":a",
    "---", "...", "?", "? a", "-", "500m", "4Gi", "1h", "0", "00", "1e1000", "infinity", "t", "F",
]  # fmt: skip
BLOCKS = [
    "a\nb\n",
    "a\nb",
    "a\n\n\nb\n\n",
    "\na",
    "  a\n b",
    "a \nb",
    "\ta\n",
    "#a\nb",
    "a:\n- b",
    "---\n...\n",
    "\n",
]
ODD = [
    "\r",
    "a\r\nb",
    "\x85",
    "a\u2028b",
    "\ufeff",
    "\x00",
    "\x1b[0m",
    "\x7f",
    "\u00e4\u20ac",
    "\U0001f600",
    "\ufffe",
    "\t",
]


@pytest.mark.parametrize("text", AMBIGUOUS + BLOCKS + ODD)
def test_strings_stay_strings(text: str) -> None:
    document = {"value": text, "list": [text], text: 1}
    assert yaml.safe_load(manifest.to_yaml(document)) == document


@pytest.mark.parametrize("text", AMBIGUOUS)
def test_ambiguous_texts_are_quoted(text: str) -> None:
    doubled = text.replace("'", "''")
    assert manifest.to_yaml([text]) == f"- '{doubled}'\n"


@pytest.mark.parametrize(
    "text",
    [
        "python fit.py --lr 0.1",
        "/code",
        "riseml.io/killed",
        "a=b,c",
        "alpine/git:latest",
    ],
)
def test_plain_words_are_plain(text: str) -> None:
    assert manifest.to_yaml({text: text}) == f"{text}: {text}\n"
    assert manifest.scalar(text) == text


def test_scripts_are_blocks() -> None:
    assert (
        manifest.to_yaml({"args": ["set -e\n  echo 'a'\n"]})
        == "args:\n- |\n  set -e\n    echo 'a'\n"
    )


def test_names_come_first_and_lists_last() -> None:
    text = manifest.to_yaml(
        {"b": [1], "a": {"z": 1, "name": "me"}, "c": 1, "kind": "Workflow"}
    )
    assert text == "kind: Workflow\nc: 1\nb:\n- 1\na:\n  name: me\n  z: 1\n"


def test_long_lines_are_not_folded() -> None:
    assert manifest.to_yaml({"run": "word " * 100 + "end"}).count("\n") == 1


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


@given(values)
def test_any_data_reads_back(value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return  # a file cannot contain a lone surrogate
    assert yaml.safe_load(manifest.to_yaml(value)) == value
    assert json.loads(manifest.to_json(value)) == value


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_scalar_is_one_line_that_reads_back(text: str) -> None:
    for line in (manifest.scalar(text), manifest.quoted(text)):
        assert "\n" not in line
        assert yaml.safe_load(f"key: {line}\n") == {"key": text}
