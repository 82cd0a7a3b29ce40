"""Names that Argo derives from the names of nodes."""

import pytest

from riseml.engines.local.interpreter.node import fnv1a


# These are published test vectors of the hash function.
@pytest.mark.parametrize(
    ("text", "value"), [("", 0x811C9DC5), ("a", 0xE40C292C), ("foobar", 0xBF9CF968)]
)
def test_the_hash_is_fnv1a(text: str, value: int) -> None:
    assert fnv1a(text) == value
