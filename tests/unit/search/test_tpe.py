"""TPE: suggestions of Optuna, which repeat exactly, and never the round before."""

import hashlib
import json

from riseml.distributions import CHOICE, FLOAT, INT, Distribution, Parameters
from riseml.rounds import step
from riseml.rounds.trials import COMPLETE, Request, Trial
from riseml.search.tpe import Options, faults, size, suggest

SPACE = {
    "x": Distribution(FLOAT, "-5", "10"),
    "y": Distribution(FLOAT, "1e-3", "15", is_log=True),
    "n": Distribution(INT, "1", "9", step="2"),
    "opt": Distribution(CHOICE, choices=("adam", "sgd")),
}
# A change of this digest means that seeded searches no longer repeat.
DIGEST = "6e013fe0c5785cd7"


def loss(parameters: dict[str, str]) -> float:
    """Return the value of a test function, from exactly rounded operations only."""
    penalty = 3.0 if parameters["opt"] == "sgd" else 0.0
    return (
        (float(parameters["x"]) - 2) ** 2
        + float(parameters["y"])
        + int(parameters["n"])
        + penalty
    )


def search(count: int, batch: int, seed: int = 3) -> list[Trial]:
    """Return the trials of a search of that many, `batch` in a round."""
    trials: list[Trial] = []
    while len(trials) < count:
        seed_of_round = step._seed(seed, len(trials))
        request = Request(SPACE, trials, batch, seed_of_round, "min", {"startup": 10})
        for parameters in suggest(request):
            number = len(trials) + 1
            trials.append(Trial(number, parameters, SPACE, COMPLETE, loss(parameters)))
    return trials


def test_equal_seeds_and_results_give_equal_parameters() -> None:
    first, second = search(24, 8), search(24, 8)
    assert first == second
    texts = json.dumps([dict(sorted(trial.parameters.items())) for trial in first])
    assert hashlib.sha256(texts.encode()).hexdigest()[:16] == DIGEST
    assert search(8, 8, seed=4) != first[:8]


def test_no_round_repeats_another_one() -> None:
    trials = search(48, 8)
    assert len({json.dumps(trial.parameters) for trial in trials}) == 48


def test_values_lie_in_their_distributions() -> None:
    for trial in search(24, 8):
        assert -5 <= float(trial.parameters["x"]) <= 10
        assert 1e-3 <= float(trial.parameters["y"]) <= 15
        assert trial.parameters["n"] in {"1", "3", "5", "7", "9"}
        assert trial.parameters["opt"] in {"adam", "sgd"}


def test_a_finite_space_is_used_up_before_anything_is_repeated() -> None:
    space = {"a": Distribution(CHOICE, choices=("1", "2", "3"))}
    first = Trial(1, {"a": "2"}, space, COMPLETE, 0.1)
    suggested = suggest(Request(space, [first], 2, 1, "max", {"startup": 10}))
    assert sorted(row["a"] for row in suggested) == ["1", "3"]
    # All are taken: nothing but a repetition is left.
    assert len(suggest(Request(space, [first], 4, 1, "max", {"startup": 10}))) == 4


def test_faults() -> None:
    parameters: Parameters = {"a": ("1", "2")}
    assert size(parameters, Options(3)) == 3
    assert list(faults(parameters, Options(2))) == []
    assert [fault.key for fault in faults(parameters, Options(3))] == ["search.trials"]
