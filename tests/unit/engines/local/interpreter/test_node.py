"""Rows of nodes, and the hash in their ids."""

import pytest

from riseml.engines.local.interpreter.node import COLUMNS, fnv1a


# These are published test vectors of the hash function.
@pytest.mark.parametrize(
    ("text", "value"), [("", 0x811C9DC5), ("a", 0xE40C292C), ("foobar", 0xBF9CF968)]
)
def test_the_hash_is_fnv1a(text: str, value: int) -> None:
    assert fnv1a(text) == value


def test_the_columns_are_those_of_existing_homes() -> None:
    assert list(COLUMNS.items()) == [
        ("id", "TEXT"),
        ("name", "TEXT"),
        ("type", "TEXT"),
        ("template", "TEXT"),
        ("boundary", "TEXT"),
        ("parents", "TEXT"),
        ("phase", "TEXT"),
        ("message", "TEXT"),
        ("started_at", "REAL"),
        ("running_at", "REAL"),
        ("finished_at", "REAL"),
        ("ended_at", "REAL"),
        ("exit_code", "INTEGER"),
        ("inputs", "TEXT"),
        ("outputs", "TEXT"),
        ("progress", "TEXT"),
        ("waiting", "TEXT"),
        ("stopped_by", "TEXT"),
        ("launched", "INTEGER"),
        ("daemoned", "INTEGER"),
        ("hooked", "INTEGER"),
        ("retried", "INTEGER"),
        ("sequence", "INTEGER"),
    ]
