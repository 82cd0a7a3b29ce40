"""The lines of the file of trials fit their published schema."""

import json

import pytest
from jsonschema import ValidationError

from riseml.distributions import CHOICE, FLOAT, INT, Distribution
from riseml.rounds.trials import COMPLETE, FAIL, Trial
from tests.cli.test_schemas import validate

SPACE = {
    "lr": Distribution(FLOAT, "1e-5", "0.1", is_log=True),
    "hidden": Distribution(INT, "16", "256", step="16"),
    "opt": Distribution(CHOICE, choices=("adam", "sgd")),
}
VALUES = {"lr": "0.01", "hidden": "32", "opt": "sgd"}


@pytest.mark.parametrize(
    "trial",
    [
        Trial(1, VALUES, SPACE),
        Trial(2, VALUES, SPACE, COMPLETE, 0.93),
        Trial(3, VALUES, SPACE, FAIL),
    ],
)
def test_a_line_fits_the_schema_and_is_read_again(trial: Trial) -> None:
    line = trial.to_line()
    validate("search-trial", line)
    assert Trial.from_line(line) == trial


def test_the_schema_refuses_what_is_no_trial() -> None:
    data = json.loads(Trial(1, VALUES, SPACE).to_line())
    for change in ({"state": "RUNNING"}, {"extra": 1}, {"number": "1"}):
        with pytest.raises(ValidationError):
            validate("search-trial", json.dumps({**data, **change}))
