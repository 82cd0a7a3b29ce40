"""Tags for values of items, which Argo inserts the way JSON writes them."""

import json

from riseml.compiler.text import item

# JSON escapes the control characters, quotes and backslashes, and nothing else.
CODES = (*range(0x300), 0x2028, 0xFFFD, 0x1F9FF)


def test_values_that_json_escapes_are_decoded() -> None:
    values = [f"a{chr(code)}" for code in CODES]
    escaped = [
        value
        for value in values
        if json.dumps(value, ensure_ascii=False) != f'"{value}"'
    ]
    decoded = [
        value for value in values if item("lr", ["1", value]).startswith("{{=fromJSON")
    ]
    assert decoded == escaped
    assert len(escaped) == 34
