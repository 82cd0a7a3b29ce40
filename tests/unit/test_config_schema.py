"""The JSON Schema for editors takes what the loader takes, but for what a schema cannot say."""

import json

import pytest
from jsonschema import Draft202012Validator

from riseml import plugins
from riseml.config import json_schema
from tests.riseml_yml import BEYOND_SCHEMA, data_of, load_with_faults, schema_errors
from tests.unit.test_config import ALL, ERROR, NOTE, Case

CASES = [
    pytest.param(case, id=f"{group}-{case.name}") for group, cases in ALL.items() if group != "text" for case in cases
]


@pytest.mark.parametrize("case", CASES)
def test_agreement(case: Case) -> None:
    faults = load_with_faults(case.text)[1]
    if any(words in fault.message for fault in faults for words in ("is not closed", "a second document")):
        pytest.skip("no YAML, so nothing for a schema to see")
    if case.name in ("duplicate key", "infinity", "nested", "mem: .inf", "run with lone surrogate"):
        pytest.skip("no JSON")
    errors = schema_errors(data_of(case.text))
    if case.outcome == ERROR and any(words in case.words + faults[0].message for words in BEYOND_SCHEMA):
        return
    assert bool(errors) == (case.outcome in (ERROR, NOTE) or case in ALL["legacy"]), errors


def test_it_is_a_schema_and_data() -> None:
    schema = json_schema()
    Draft202012Validator.check_schema(schema)
    assert json.loads(json.dumps(schema)) == schema
    assert schema["$schema"].endswith("2020-12/schema")


def test_every_key_has_a_description() -> None:
    train = json_schema()["properties"]["train"]["properties"]
    assert {key for key, value in train.items() if not value.get("description")} == set()
    assert set(train) >= {"gang_timeout", "gang-timeout", *(set(plugins.names("frameworks")) - {"plain"})}
    assert "plain" not in train
