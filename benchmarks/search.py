"""TPE compared with random search on two test functions, and with one continuous Optuna process.

Each search has 30 trials in rounds of 5. Most are driven without an engine, by the step that a job runs
(`riseml.rounds.step`), with all of its files. With `--rounds N`, N seeds run on the local engine as well, and must give
the same values as without it.
"""

import json
import math
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from statistics import mean, median

import optuna
from lab import Lab, lab
from measure import Figure, absolute, main

from riseml.distributions import FLOAT, Distribution
from riseml.rounds import step
from riseml.search import random, tpe

TRIALS, BATCH = 30, 5
SEEDS, CONTINUOUS_SEEDS = range(20), range(12)
CONTINUOUS_TRIALS, CONTINUOUS_BATCH = 64, 8

BRANIN = """
def value(x):
    a, b = x["x"], x["y"]
    q = b - 5.1 / (4 * math.pi**2) * a**2 + 5 / math.pi * a - 6
    return q**2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(a) + 10 - 0.39788735772973816
"""
HARTMANN = """
A = ((10, 3, 17, 3.5, 1.7, 8), (0.05, 10, 17, 0.1, 8, 14), (3, 3.5, 1.7, 10, 17, 8), (17, 8, 0.05, 10, 0.1, 14))
P = ((1312, 1696, 5569, 124, 8283, 5886), (2329, 4135, 8307, 3736, 1004, 9991),
     (2348, 1451, 3522, 2883, 3047, 6650), (4047, 8828, 8732, 5743, 1091, 381))
def value(x):
    point = [x["abcdef"[i]] for i in range(6)]
    total = 0
    for alpha, a, p in zip((1.0, 1.2, 3.0, 3.2), A, P):
        total += alpha * math.exp(-sum(w * (v - c / 1e4) ** 2 for w, v, c in zip(a, point, p)))
    return 3.32236801141551 - total
"""
PROGRAM = """\
import math, os
FUNCTION
print("loss=%r" % value({name: float(os.environ[name.upper()]) for name in "NAMES"}), flush=True)
"""


@dataclass(frozen=True)
class Problem:
    """A function to minimize, whose least value is 0."""

    name: str
    source: str
    space: Mapping[str, Distribution]

    @property
    def function(self) -> Callable[[Mapping[str, float]], float]:
        """Its Python function."""
        names: dict[str, object] = {"math": math}
        exec(self.source, names)
        value: Callable[[Mapping[str, float]], float] = names["value"]  # type: ignore[assignment]
        return value


PROBLEMS = (
    Problem(
        "Branin",
        BRANIN,
        {"x": Distribution(FLOAT, "-5", "10"), "y": Distribution(FLOAT, "0", "15")},
    ),
    Problem(
        "Hartmann6",
        HARTMANN,
        {name: Distribution(FLOAT, "0", "1") for name in "abcdef"},
    ),
)


def by_step(problem: Problem, seed: int, count: int, batch: int) -> list[float]:
    """Return the values of a search, driven as a Workflow drives it."""
    function = problem.function
    search = step.Search.from_json(
        json.dumps(
            {
                "seed": seed, "metric": "loss", "mode": "min", "metrics": [], "jobs": ["train"],
                "space": {name: item.to_data() for name, item in problem.space.items()},
                "settings": {"startup": 10}, "quoted": {}, "first": 1, "last": count, "batch": batch,
            }
        )
    )  # fmt: skip
    values = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for round_ in range(1, -(-count // batch) + 1):
            for trial in step.run(search, round_, folder, (), tpe.suggest):
                value = function(
                    {key: float(text) for key, text in trial.parameters.items()}
                )
                values.append(value)
                own = folder / str(trial.number) / ".riseml"
                own.mkdir(parents=True)
                (own / "exit.train.0").write_text("0\n")
                (own / "results.jsonl").write_text(json.dumps({"loss": value}) + "\n")
    return values


def at_random(problem: Problem, seed: int, count: int) -> list[float]:
    """Return the values of a random search."""
    drawn = random.trials(problem.space, random.Options(count, seed))
    return [
        problem.function({key: float(text) for key, text in row.items()})
        for row in drawn
    ]


def continuously(problem: Problem, seed: int, count: int, batch: int) -> list[float]:
    """Return the values of one Optuna process that asks for as many at a time, and never restarts."""
    function = problem.function
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
    space: dict[str, optuna.distributions.BaseDistribution] = {
        name: optuna.distributions.FloatDistribution(
            float(source.low), float(source.high)
        )
        for name, source in problem.space.items()
    }
    values: list[float] = []
    while len(values) < count:
        suggested = [study.ask(space) for _ in range(batch)]
        for trial in suggested:
            values.append(function(trial.params))
            study.tell(trial, values[-1])
    return values


def by_engine(place: Lab, problem: Problem, seed: int) -> list[float]:
    """Return the values of a search that the local engine runs."""
    program = PROGRAM.replace("FUNCTION", problem.source)
    program = program.replace("NAMES", "".join(problem.space))
    lines = [
        f"    {name}: {{uniform: [{source.low}, {source.high}]}}"
        for name, source in problem.space.items()
    ]
    text = "\n".join(
        (
            "project: bench", "train:", "  image: busybox", "  resources: {cpus: 0.02, mem: 1}",
            f"  concurrency: {BATCH}", "  parameters:", *lines,
            f"  search: {{method: tpe, trials: {TRIALS}, seed: {seed}, metric: loss, mode: min}}",
            f"  run: {sys.executable} -S train.py",
        )
    )  # fmt: skip
    folder = place.project(f"{problem.name}-{seed}", text)
    (folder / "train.py").write_text(program)
    number = place.train(folder)
    place.riseml("wait", number)
    rows = json.loads(place.riseml("results", number, "-o", "json"))["experiments"]
    return [row["result"]["loss"] for row in rows]


def measure(rounds: int | None = None) -> Iterator[Figure]:
    """Yield the rows of each problem; with rounds, that many seeds run on the local engine as well."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with lab() as place:
        for problem in PROBLEMS:
            # The step prints a line for each trial.
            with redirect_stdout(StringIO()):
                by_seed = {
                    seed: by_step(problem, seed, TRIALS, BATCH) for seed in SEEDS
                }
                figures = _compare(problem, list(by_seed.values()))
            yield from figures
            for seed in range(rounds or 0):
                same = by_engine(place, problem, seed) == by_seed[seed]
                name = f"{problem.name}, seed {seed}: other values on the local engine"
                yield absolute(name, [not same], "", 0)


def _compare(problem: Problem, searches: list[list[float]]) -> list[Figure]:
    """Compare the best values with random search, and with one continuous process."""
    best = median(min(values) for values in searches)
    drawn = median(min(at_random(problem, seed, TRIALS)) for seed in SEEDS)
    many, batch = CONTINUOUS_TRIALS, CONTINUOUS_BATCH
    rounds = [min(by_step(problem, seed, many, batch)) for seed in CONTINUOUS_SEEDS]
    one = [min(continuously(problem, seed, many, batch)) for seed in CONTINUOUS_SEEDS]
    return [
        Figure(
            name=f"{problem.name}: best of {TRIALS} trials of TPE",
            value=best / drawn,
            base="random search",
            target=1.0,
            rounds=len(SEEDS),
        ),
        Figure(
            name=f"{problem.name}: best of {many} in rounds of {batch}",
            value=mean(rounds) / mean(one),
            base="one process",
            target=1.1,
            rounds=len(CONTINUOUS_SEEDS),
        ),
    ]


if __name__ == "__main__":
    main(measure)
