"""The published JSON Schemas are those of what commands print."""

import json

import pytest
from jsonschema import Draft202012Validator

from tests.golden import json_schemas

DOCUMENTS = json_schemas.documents()


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_published_schema_is_that_of_the_type(name: str) -> None:
    published = json_schemas.FOLDER / f"{name}.json"
    expected = json_schemas.to_text(json_schemas.schema(name, DOCUMENTS[name]))
    assert published.is_file(), (
        "run `.venv/bin/python -m tests.golden.json_schemas`, and add the new file"
    )
    assert published.read_text("utf-8") == expected, (
        "what the command prints has changed: if its version was released, raise it in"
        " DOCUMENTS (1.0 → 1.1 for a new field, → 2.0 otherwise); then `.venv/bin/python -m tests.golden.json_schemas`"
    )
    Draft202012Validator.check_schema(json.loads(expected))


def test_nothing_else_is_published() -> None:
    published = {path.stem for path in json_schemas.FOLDER.glob("*.json")}
    assert published == set(DOCUMENTS)
