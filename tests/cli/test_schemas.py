"""`riseml schema NAME` prints the published schemas, and what commands print is valid."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from riseml.cli import output
from riseml.status import State
from tests.cli.conftest import Riseml
from tests.cli.fake_engine import FakeEngine, grid, job, single, with_attempts

SCHEMAS = Path(output.__file__).parent.parent / "schemas"
MEASURED = {"acc": {"source": "log", "best": 0.9, "best_step": 3, "last": "NaN"}}


def read(name: str) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads((SCHEMAS / f"{name}.json").read_text("utf-8"))
    return schema


def validate(name: str, text: str) -> Any:
    """Return the data of a text, which must fit a schema."""
    data = json.loads(text)
    Draft202012Validator(read(name), format_checker=FormatChecker()).validate(data)
    return data


def objects(schema: Any) -> Iterator[dict[str, Any]]:
    """Yield the parts of a schema that describe objects."""
    if isinstance(schema, dict):
        if schema.get("type") == "object":
            yield schema
        for item in schema.values():
            yield from objects(item)
    elif isinstance(schema, list):
        for item in schema:
            yield from objects(item)


@pytest.fixture
def runs(engine: FakeEngine) -> FakeEngine:
    """Return an engine with every kind of run."""
    one = single(14, State.FINISHED, result={"acc": float("nan")}, measured=MEASURED)
    engine.runs = [
        with_attempts(single(17, State.FAILED, exit_code=3, guilty="17.train"), 3),
        replace(
            single(16),
            jobs=(job("16.tensorboard"),),
            tensorboard_url="http://127.0.0.1:24010",
            page="https://argo.example.com/workflows/16",
            base_image="python@sha256:0",
        ),
        grid(15, [State.FINISHED, State.RUNNING, State.CREATED], {1: {"acc": 0.5}}),
        one,
    ]
    return engine


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("status -a", "status"),
        ("status -a -l", "status"),
        ("status 14", "status"),
        ("status 15", "status"),
        ("status 15.2", "status"),
        ("status 16", "status"),
        ("status 17.train", "status"),
        ("results 14", "results"),
        ("results 15 --sort acc", "results"),
        ("why 17", "why"),
        ("ls", "ls"),
        ("config list", "config-list"),
        ("config show", "config-show"),
    ],
)
def test_output_fits_its_schema(
    line: str, name: str, runs: FakeEngine, riseml: Riseml
) -> None:
    assert validate(name, riseml(*line.split(), "-o", "json").out)


@pytest.mark.parametrize(
    "path", sorted(SCHEMAS.glob("*.json")), ids=lambda path: path.stem
)
def test_a_schema_allows_no_other_fields(path: Path) -> None:
    schema = read(path.stem)
    for item in objects(schema):
        if "properties" in item:
            assert item["additionalProperties"] is False
            assert set(item["required"]) <= set(item["properties"])
        else:
            # Names that the user chooses, such as those of parameters.
            assert "additionalProperties" in item


def test_schema_prints_what_is_published(
    riseml: Riseml, screen: Callable[..., None]
) -> None:
    listed = dict(line.split() for line in riseml("schema", "--list").out.splitlines())
    assert set(listed) == {path.stem for path in SCHEMAS.glob("*.json")}
    for name, version in listed.items():
        printed = json.loads(riseml("schema", name).out)
        assert printed == read(name)
        assert printed["$id"].endswith(f"/{name}-{version}.json")


def test_an_unknown_schema_is_an_error(riseml: Riseml) -> None:
    result = riseml("schema", "stats")
    assert (result.status, result.out) == (4, "")
    assert result.err == (
        "riseml: error: there is no schema 'stats'\n"
        "Did you mean 'status'? `riseml schema --list` lists all schemas.\n"
    )
