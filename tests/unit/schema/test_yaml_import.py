"""Import of PyYAML without a pattern that nothing uses."""

import re
import subprocess
import sys

import pytest
import yaml.reader

from riseml.schema import yaml_import
from riseml.schema.yaml_import import LatePattern

# The pattern of the Reader in a process that begins with `riseml.config`, and its use by
# the parser in Python.
CODE = """
import re
compile_at_once = re.compile
import riseml.config, yaml
from yaml.reader import Reader, ReaderError
assert re.compile is compile_at_once
print(type(Reader.NON_PRINTABLE).__name__)
print(yaml.load("a: [1, \\U0001f600]", yaml.SafeLoader))
try:
    yaml.load("a: \\x07", yaml.SafeLoader)
except ReaderError as error:
    print(error.position, error.reason)
"""


def test_the_pattern_is_compiled_when_it_is_used() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == [
        "LatePattern",
        "{'a': [1, '\U0001f600']}",
        "3 special characters are not allowed",
    ]


def test_it_is_the_pattern_of_the_installed_package() -> None:
    assert yaml.reader.Reader.NON_PRINTABLE.pattern == yaml_import._SLOW


@pytest.mark.parametrize("text", ["plain", "\x07", "a\ud800", "\U0010ffff\x85"])
def test_a_late_pattern_finds_the_same(text: str) -> None:
    late: re.Pattern[str] = LatePattern(yaml_import._SLOW, 0)  # type: ignore[assignment]
    found, expected = late.search(text), re.search(yaml_import._SLOW, text)
    assert (found and found.span()) == (expected and expected.span())
    assert late.flags == re.compile(yaml_import._SLOW).flags
