"""Rounds of a search: what was suggested is recorded, results follow, nothing is asked twice."""

import json
from collections.abc import Iterable
from pathlib import Path

import pytest

from riseml.distributions import CHOICE, FLOAT, Distribution
from riseml.metrics import hparams
from riseml.rounds import measure, step, trials
from riseml.rounds.step import Search
from riseml.rounds.trials import COMPLETE, FAIL, Request, Trial

SPACE = {
    "lr": Distribution(FLOAT, "0", "1"),
    "opt": Distribution(CHOICE, choices=("adam", "it's")),
}


def search(**changes: object) -> Search:
    description = {
        "seed": 7,
        "metric": "loss",
        "mode": "min",
        "metrics": [{"name": "loss", "mode": "min", "pattern": ""}],
        "jobs": ["train"],
        "space": {name: source.to_data() for name, source in SPACE.items()},
        "settings": {"startup": 10},
        "quoted": {},
        "first": 1,
        "last": 5,
        "batch": 2,
    }
    return Search.from_json(json.dumps({**description, **changes}))


class Strategy:
    """A strategy that counts up, and keeps the requests."""

    def __init__(self) -> None:
        self.requests: list[Request] = []

    def suggest(self, request: Request) -> list[dict[str, str]]:
        self.requests.append(request)
        first = len(request.trials)
        return [
            {"lr": f"0.{first + index}", "opt": "adam"}
            for index in range(request.count)
        ]


def finish(folder: Path, sub: int, *, code: int = 0, **values: object) -> None:
    """Write what an experiment with one job leaves in its output folder."""
    own = folder / str(sub) / ".riseml"
    own.mkdir(parents=True)
    (own / "exit.train.0").write_text(f"{code}\n")
    if values:
        (own / "results.jsonl").write_text(json.dumps(values) + "\n")


def run(
    folder: Path, round_: int, strategy: Strategy, killed: Iterable[int] = ()
) -> list[Trial]:
    return step.run(search(), round_, folder, killed, strategy.suggest)


def test_rounds_continue_with_all_results(tmp_path: Path) -> None:
    strategy = Strategy()
    numbers = []
    for round_ in (1, 2, 3):
        batch = run(tmp_path, round_, strategy)
        numbers.append([trial.number for trial in batch])
        for trial in batch:
            finish(tmp_path, trial.number, loss=float(trial.parameters["lr"]))
    assert numbers == [[1, 2], [3, 4], [5]]
    assert [len(request.trials) for request in strategy.requests] == [0, 2, 4]
    values = [trial.value for trial in strategy.requests[2].trials]
    assert values == [0.0, 0.1, 0.2, 0.3]
    assert {trial.state for trial in strategy.requests[2].trials} == {COMPLETE}
    seeds = {request.seed for request in strategy.requests}
    assert len(seeds) == 3


def test_a_round_that_is_asked_again_is_the_same(tmp_path: Path) -> None:
    strategy = Strategy()
    first = run(tmp_path, 1, strategy)
    finish(tmp_path, 1, loss=1)
    assert run(tmp_path, 1, strategy) == first
    assert len(strategy.requests) == 1


@pytest.mark.parametrize(
    ("code", "values", "killed"),
    [
        (1, {"loss": 0.1}, ()),
        (0, {}, ()),
        (0, {"accuracy": 0.1}, ()),
        (0, {"loss": "NaN"}, ()),
        (0, {"loss": [1]}, ()),
        (0, {"loss": 0.1}, (1,)),
    ],
)
def test_an_experiment_without_a_result_has_failed(
    tmp_path: Path, code: int, values: dict[str, object], killed: tuple[int, ...]
) -> None:
    strategy = Strategy()
    run(tmp_path, 1, strategy)
    finish(tmp_path, 1, code=code, **values)
    finish(tmp_path, 2, loss=0.5)
    run(tmp_path, 2, strategy, killed)
    first, second = strategy.requests[1].trials
    assert (first.state, first.value) == (FAIL, None)
    assert (second.state, second.value) == (COMPLETE, 0.5)


def test_an_experiment_that_ended_without_a_status_has_failed(tmp_path: Path) -> None:
    strategy = Strategy()
    run(tmp_path, 1, strategy)
    run(tmp_path, 2, strategy)
    assert {trial.state for trial in strategy.requests[1].trials} == {FAIL}


def test_results_of_unmodified_programs_count(tmp_path: Path) -> None:
    strategy = Strategy()
    run(tmp_path, 1, strategy)
    finish(tmp_path, 1)
    finish(tmp_path, 2)
    logs = tmp_path / "1" / ".riseml" / "logs"
    logs.mkdir()
    (logs / "train.0.log").write_text("loss=0.5\nloss=0.25\nloss=0.75\n")
    run(tmp_path, 2, strategy)
    assert [trial.value for trial in strategy.requests[1].trials] == [0.25, None]


def test_the_last_attempt_of_all_jobs_counts(tmp_path: Path) -> None:
    own = tmp_path / ".riseml"
    own.mkdir()
    jobs = ("worker.1", "worker.2")
    for name, code in (("worker.1.0", 1), ("worker.2.0", 0), ("worker.1.1", 0)):
        (own / f"exit.{name}").write_text(f"{code}\n")
    assert not measure.has_succeeded(own, jobs)
    (own / "exit.worker.2.1").write_text("0\n")
    assert measure.has_succeeded(own, jobs)
    assert not measure.has_succeeded(own, (*jobs, "worker.3"))


def test_trials_of_other_choices_are_left_out(tmp_path: Path) -> None:
    other = {**SPACE, "opt": Distribution(CHOICE, choices=("adam",))}
    wider = {**SPACE, "lr": Distribution(FLOAT, "0", "2")}
    parameters = {"lr": "0.5", "opt": "adam"}
    trials.write(
        tmp_path,
        [
            Trial(1, parameters, other, COMPLETE, 0.5),
            Trial(2, parameters, wider, COMPLETE, 0.5),
        ],
    )
    strategy = Strategy()
    step.run(search(first=3), 2, tmp_path, (), strategy.suggest)
    assert [trial.number for trial in strategy.requests[0].trials] == [2]
    assert list(trials.read(tmp_path)) == [1, 2, 3, 4]


def test_the_document_gets_texts_and_their_quoted_forms(tmp_path: Path) -> None:
    environment = {
        "OUTPUT_DIR": str(tmp_path),
        "RISEML_DIR": str(tmp_path),
        "RISEML_ROUND": "3",
        "RISEML_RUN": "14",
        "RISEML_KILLED": "2=2026-01-01T00:00:00Z,*=2026-01-01T00:00:00Z",
        "RISEML_SEARCH": json.dumps(
            {
                **vars(search()),
                "metrics": [],
                "space": {name: item.to_data() for name, item in SPACE.items()},
                "quoted": {"opt": {"adam": '"adam"'}},
            }
        ),
    }
    step.main(environment, Strategy().suggest)
    session = (tmp_path / "5" / hparams.START_FILE).read_bytes()
    assert b"14.5" in session
    assert b"adam" in session
    assert json.loads((tmp_path / "trials").read_text()) == [
        {
            "riseml-sub": "5",
            "lr": "0.0",
            "opt": "adam",
            "riseml-quoted-opt": '"adam"',
        }
    ]
