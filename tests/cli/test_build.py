"""`riseml build --explain` for people and for scripts."""

import csv
import io

import pytest
import yaml

from riseml.client.images import CHANGED, SAME, Explanation, ImagePart
from tests.cli.conftest import Riseml
from tests.cli.test_schemas import validate

PARTS = (
    ImagePart("image", "python:3.12", SAME),
    ImagePart("install", "pip install 'a, b'", CHANGED),
)


@pytest.fixture(autouse=True)
def _explanation(monkeypatch: pytest.MonkeyPatch) -> None:
    explanation = Explanation("k1", PARTS, None, "13")
    monkeypatch.setattr(
        "riseml.client.client.Client.explain",
        lambda *_arguments, **_options: explanation,
    )


def test_an_explanation_in_all_formats(riseml: Riseml) -> None:
    command = ("build", "--explain")
    record = validate("build", riseml(*command, "-o", "json").out)
    assert record == {
        "key": "k1",
        "image": None,
        "before": "13",
        "parts": [
            {"part": "image", "value": "python:3.12", "change": "same"},
            {"part": "install", "value": "pip install 'a, b'", "change": "changed"},
        ],
    }
    assert yaml.safe_load(riseml(*command, "-o", "yaml").out) == record
    rows = list(csv.DictReader(io.StringIO(riseml(*command, "-o", "csv").out)))
    assert rows == record["parts"]
    assert riseml(*command, "-o", "name").out == "k1\n"
    table = riseml(*command)
    assert table.out.splitlines()[2] == "changed install   pip install 'a, b'"
    assert "(compared with run 13)" in table.err


def test_a_build_prints_no_data(riseml: Riseml) -> None:
    result = riseml("build", "-o", "csv")
    assert (result.status, result.out) == (2, "")
    assert "-o csv needs --explain" in result.err
