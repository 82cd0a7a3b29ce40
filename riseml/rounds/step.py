"""Program of the step: `python -m riseml.rounds.step`.

Variables: OUTPUT_DIR is the output folder of the run, RISEML_SEARCH describes the search as
JSON, RISEML_ROUND is the round, RISEML_KILLED the record of killed experiments, RISEML_RUN the
number of the run. The parameters of the round's experiments are written to RISEML_DIR/trials, as JSON.
"""

import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

from riseml.distributions import space_from_data
from riseml.metric import Metric
from riseml.metrics import hparams
from riseml.rounds import measure, trials
from riseml.rounds.numbers import rounds_before
from riseml.rounds.trials import ASKED, COMPLETE, FAIL, Request, Space, Trial

Suggest = Callable[[Request], list[dict[str, str]]]

_SEED_BYTES = 4


@dataclass(frozen=True)
class Search:
    """The search as the document describes it.

    Its trials have the numbers from `first` to `last`, and each round has `batch` of them.
    `metrics` are all that riseml.yml names; `metric` decides. `jobs` are the names of the
    jobs of each experiment. `quoted` has the quoted text of values, by parameter, where a
    record of the configuration needs one.
    """

    seed: int
    metric: str
    mode: str
    metrics: tuple[Metric, ...]
    jobs: tuple[str, ...]
    space: Space
    settings: Mapping[str, Any]
    quoted: Mapping[str, Mapping[str, str]]
    first: int
    last: int
    batch: int

    @classmethod
    def from_json(cls, text: str) -> "Search":
        """Return the search that a text describes."""
        data = json.loads(text)
        data["metrics"] = tuple(Metric(**metric) for metric in data["metrics"])
        data["jobs"] = tuple(data["jobs"])
        data["space"] = space_from_data(data["space"])
        return cls(**data)

    def numbers(self, round_: int) -> range:
        """Return the numbers of the trials of a round, which count from 1."""
        index = round_ - 1 - rounds_before(self.first, self.batch)
        first = self.first + index * self.batch
        return range(first, min(first + self.batch, self.last + 1))


def run(
    search: Search, round_: int, folder: Path, killed: Iterable[int], suggest: Suggest
) -> list[Trial]:
    """Return the trials of a round, after recording them; `folder` has the outputs of the run."""
    recorded = trials.read(folder)
    numbers = search.numbers(round_)
    missing = [number for number in numbers if number not in recorded]
    if not missing:
        _say(f"round {round_} was asked before")
        return [recorded[number] for number in numbers]
    earlier = _ended(search, folder, recorded, numbers.start, frozenset(killed))
    usable = list(filter(search_fits(search.space), earlier))
    if len(usable) < len(earlier):
        _say(f"{len(earlier) - len(usable)} earlier trials had other choices: left out")
    request = Request(
        search.space,
        usable,
        len(missing),
        _seed(search.seed, missing[0] - 1),
        search.mode,
        search.settings,
    )
    complete = dict(recorded)
    complete.update({trial.number: trial for trial in earlier})
    for number, parameters in zip(missing, suggest(request), strict=True):
        complete[number] = Trial(number, parameters, search.space)
        _say(f"{number}: {_pairs(parameters)}")
    trials.write(folder, [trial for _, trial in sorted(complete.items())])
    return [complete[number] for number in numbers]


def search_fits(space: Space) -> Callable[[Trial], bool]:
    """Return whether the values of a trial can be compared with those of a space."""

    def fits(trial: Trial) -> bool:
        for name, source in trial.space.items():
            other = space.get(name, source)
            if (source.kind, source.choices) != (other.kind, other.choices):
                return False
        return True

    return fits


def _ended(
    search: Search,
    folder: Path,
    recorded: Mapping[int, Trial],
    first_new: int,
    killed: frozenset[int],
) -> list[Trial]:
    """Return the trials with numbers below `first_new`, with what came of them."""
    earlier = []
    for number, trial in sorted(recorded.items()):
        if number >= first_new:
            continue
        if trial.state == COMPLETE:
            earlier.append(trial)
            continue
        outcome = measure.Outcome(None, "killed")
        if number not in killed:
            outcome = measure.outcome(
                folder / str(number), search.metrics, search.metric, search.jobs
            )
        state = FAIL if outcome.value is None else COMPLETE
        if trial.state == ASKED:
            result = outcome.reason or f"{search.metric} {outcome.value}"
            _say(f"{number} {result}")
        earlier.append(replace(trial, state=state, value=outcome.value))
    return earlier


def _seed(seed: int, finished: int) -> int:
    """Return the seed of a round; with one seed for all, a round would repeat the one before."""
    digest = hashlib.sha256(f"{seed}/{finished}".encode()).digest()
    return int.from_bytes(digest[:_SEED_BYTES], "big")


def items(search: Search, suggested_trials: Iterable[Trial]) -> list[dict[str, str]]:
    """Return the parameters of experiments as the document expects them."""
    rows = []
    for trial in suggested_trials:
        row = {"riseml-sub": str(trial.number), **trial.parameters}
        for name, texts in search.quoted.items():
            row[f"riseml-quoted-{name}"] = texts[trial.parameters[name]]
        rows.append(row)
    return rows


def main(environment: Mapping[str, str], suggest: Suggest) -> None:
    """Choose the parameters of a round, as the environment describes it."""
    search = Search.from_json(environment["RISEML_SEARCH"])
    killed = _killed(environment.get("RISEML_KILLED", ""))
    round_ = int(environment["RISEML_ROUND"])
    folder = Path(environment["OUTPUT_DIR"])
    suggested_trials = run(search, round_, folder, killed, suggest)
    for trial in suggested_trials:
        _write_session(folder / str(trial.number), environment["RISEML_RUN"], trial)
    output = Path(environment["RISEML_DIR"]) / "trials"
    output.write_text(json.dumps(items(search, suggested_trials)), "utf-8")


def _write_session(folder: Path, run: str, trial: Trial) -> None:
    """Write what TensorBoard's HPARAMS tab shows of an experiment into its output folder."""
    session = hparams.start(f"{run}.{trial.number}", trial.parameters, time.time())
    # Without it, only the tab is incomplete. A further round must not change it.
    with suppress(OSError):
        folder.mkdir(exist_ok=True)
        with (folder / hparams.START_FILE).open("xb") as file:
            file.write(session)


def _killed(record: str) -> list[int]:
    """Return the numbers in a record such as `3=2026-01-01T00:00:00Z,*=…`."""
    targets = [entry.partition("=")[0] for entry in record.split(",")]
    return [int(target) for target in targets if target.isdigit()]


def _pairs(parameters: Mapping[str, str]) -> str:
    return " ".join(f"{name} {value}" for name, value in parameters.items())


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    # The compiler writes this module, which has the function of the strategy.
    main(os.environ, import_module("riseml.rounds.strategy").suggest)
