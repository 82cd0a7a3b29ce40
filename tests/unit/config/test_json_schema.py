"""The JSON Schema for editors accepts what the loader accepts, except for what a schema cannot express."""

import json

import pytest
from jsonschema import Draft202012Validator

from riseml import plugins
from riseml.config import json_schema
from tests.riseml_yml import data_of, disagreement, schema_errors
from tests.unit.config.test_config import ALL, ERROR

# Not YAML, or YAML that JSON cannot express.
NO_DATA = (
    "YAML syntax",
    "two documents",
    "duplicate key",
    "infinity",
    "mem: .inf",
    "run with lone surrogate",
)
CASES = [
    pytest.param(case.text, id=f"{group}-{case.name}")
    for group, cases in ALL.items()
    for case in cases
    if group != "text" and case.name not in NO_DATA
]


@pytest.mark.parametrize("text", CASES)
def test_agreement(text: str) -> None:
    assert not disagreement(text, data_of(text))


@pytest.mark.parametrize("group", ["checklist", "train", "parameters"])
def test_the_schema_refuses_most_faulty_files(group: str) -> None:
    faulty = [
        case
        for case in ALL[group]
        if case.outcome == ERROR and case.name not in NO_DATA
    ]
    assert (
        sum(bool(schema_errors(data_of(case.text))) for case in faulty)
        > len(faulty) / 2
    )


def test_the_schema_is_valid_and_plain_data() -> None:
    schema = json_schema()
    Draft202012Validator.check_schema(schema)
    assert json.loads(json.dumps(schema)) == schema
    assert schema["$schema"].endswith("2020-12/schema")


def test_every_key_has_a_description() -> None:
    train = json_schema()["properties"]["train"]["properties"]
    assert {
        key for key, value in train.items() if not value.get("description")
    } == set()
    assert set(train) >= {
        "gang_timeout",
        "gang-timeout",
        *(set(plugins.names("frameworks")) - {"plain"}),
    }
    assert "plain" not in train
