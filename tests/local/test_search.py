"""Searches in rounds on this machine: exact repetition, failures, kills, and a controller that is killed."""

import random
import re
import sys
import time
from collections import Counter
from pathlib import Path
from textwrap import dedent

import pytest

from riseml.client.client import Client
from riseml.client.repeat_types import FolderCode
from riseml.errors import InvalidInputError
from riseml.ids import Id
from riseml.rounds import trials
from riseml.status import State
from tests.local.conftest import Lab
from tests.local.test_survival import kill_controller

pytestmark = pytest.mark.timeout(280)

# The environment of the search has the packages of this Python, so nothing is downloaded.
VARIABLES = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"}
SEARCH = """
parameters:
  x: {uniform: [-5, 10]}
  opt: [adam, "it's"]
concurrency: 3
search: {method: tpe, trials: TRIALS, seed: 3, metric: loss, mode: min}
run: |
  echo begun >> MARKS/ran-${RISEML_EXPERIMENT##*.}
  RUN
"""
LOSS = (
    'python3 -S -c \'import os; print("loss=%r" % (float(os.environ["X"]) - 2) ** 2)\''
)


def search(tmp_path: Path, count: int, run: str = LOSS) -> str:
    marks = tmp_path / "marks"
    marks.mkdir(exist_ok=True)
    text = SEARCH.replace("TRIALS", str(count)).replace("MARKS", str(marks))
    return text.replace("RUN", run)


def parameters(lab: Lab, number: int) -> list[dict[str, str]]:
    run = lab.engine.read(Id(number=number))
    return [dict(experiment.parameters) for experiment in run.experiments]


def recorded(lab: Lab, number: int) -> dict[int, trials.Trial]:
    (file,) = lab.engine.home.glob(f"output/*/lab/{number}/{trials.FILE}")
    return trials.read(file.parents[2])


def test_a_seeded_search_repeats_and_learns(lab: Lab, tmp_path: Path) -> None:
    first = lab.run(search(tmp_path, 8), **VARIABLES)
    second = lab.run(search(tmp_path, 8), **VARIABLES)
    assert first.state is second.state is State.FINISHED
    assert parameters(lab, 1) == parameters(lab, 2)
    ended = recorded(lab, 1)
    for experiment in first.experiments:
        trial = ended[experiment.sub or 0]
        assert dict(experiment.parameters) == dict(trial.parameters)
        assert experiment.result
        if trial.state == trials.COMPLETE:
            assert trial.value == experiment.result["loss"]
    states = Counter(trial.state for trial in ended.values())
    assert states == {trials.COMPLETE: 6, trials.ASKED: 2}
    # The second run found the environment of the first.
    assert [job.id for job in second.jobs] == ["2.search.1", "2.search.2", "2.search.3"]
    assert "1 loss" in lab.log(Id(number=1, type="search", index=2))


def test_a_round_in_which_all_fail_continues(lab: Lab, tmp_path: Path) -> None:
    run = lab.run(search(tmp_path, 5, "exit 3"), **VARIABLES)
    assert run.state is State.FAILED
    assert [experiment.exit_code for experiment in run.experiments] == [3] * 5
    assert recorded(lab, 1)[1].state == trials.FAIL


def test_a_kill_ends_a_search(lab: Lab, tmp_path: Path) -> None:
    number = lab.train(search(tmp_path, 7, "sleep 60"), **VARIABLES).number
    deadline = time.monotonic() + 120
    while not list((tmp_path / "marks").glob("ran-*")):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    waiting = lab.engine.read(Id(number=number)).experiments[6]
    assert (waiting.state, waiting.reason) == (State.CREATED, "SEARCH")
    lab.engine.stop(Id(number=number))
    lab.wait(number)
    run = lab.engine.read(Id(number=number))
    assert {experiment.state for experiment in run.experiments} == {State.KILLED}
    assert len(recorded(lab, number)) == 3


def test_a_search_is_repeated_and_extended(lab: Lab, tmp_path: Path) -> None:
    """Two fail at first; repeated, they have results, which the search uses when it goes on."""
    ready = tmp_path / "ready"
    text = search(
        tmp_path, 5, f"test -e {ready} || test ${{RISEML_EXPERIMENT##*.}} -gt 2; {LOSS}"
    )

    def write(count: int) -> None:
        lines = (
            dedent(text.replace("trials: 5", f"trials: {count}")).strip().splitlines()
        )
        body = "".join(f"  {line}\n" for line in lines)
        config = f"project: lab\ntrain:\n  image: busybox\n  resources: {{cpus: 0.01, mem: 1M}}\n{body}"
        lab.write({"riseml.yml": config})

    write(5)
    client = Client(engine=lab.engine)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", VARIABLES["PATH"])
        client.train(lab.folder / "riseml.yml")
        client.wait("1")
        assert [recorded(lab, 1)[sub].state for sub in (1, 2, 3)] == [
            "FAIL",
            "FAIL",
            "COMPLETE",
        ]
        ready.touch()
        assert client.retry("1").experiments == ("1.1", "1.2")
        client.wait("1")
        before = parameters(lab, 1)
        with pytest.raises(InvalidInputError, match="continue no others"):
            client.train(lab.folder / "riseml.yml", resume="1")
        write(8)
        grown = client.extend(
            "1", FolderCode(lab.folder / "riseml.yml"), other_code=True
        )
        assert grown.experiments == ("1.6", "1.7", "1.8")
        client.wait("1")
        assert (
            client.extend(
                "1", FolderCode(lab.folder / "riseml.yml"), other_code=True
            ).experiments
            == ()
        )
    run = lab.engine.read(Id(number=1))
    assert run.state is State.FINISHED
    assert [experiment.sub for experiment in run.experiments] == list(range(1, 9))
    assert parameters(lab, 1)[:5] == before
    values = [
        experiment.result["loss"] for experiment in run.experiments if experiment.result
    ]
    ended = recorded(lab, 1)
    assert [ended[sub].value for sub in range(1, 6)] == values[:5]
    assert [job.id for job in run.jobs if job.type == "search"] == [
        "1.search.1", "1.search.2", "1.search.3",
    ]  # fmt: skip


def test_no_trial_is_lost_or_asked_twice_when_the_controller_is_killed(
    lab: Lab, tmp_path: Path
) -> None:
    """Kill the controller twenty times while it builds, asks and runs."""
    times = random.Random(15)
    number = lab.train(search(tmp_path, 12, f"sleep 0.2; {LOSS}"), **VARIABLES).number
    for _ in range(20):
        time.sleep(times.uniform(0, 0.6))
        kill_controller(lab.engine.home)
        # This starts a new controller.
        lab.engine.read(Id(number=number))
    lab.wait(number)
    run = lab.engine.read(Id(number=number))
    assert [experiment.state for experiment in run.experiments] == [State.FINISHED] * 12
    marks = {path.name: path.read_text() for path in (tmp_path / "marks").iterdir()}
    assert marks == {f"ran-{sub}": "begun\n" for sub in range(1, 13)}
    suggestions: Counter[str] = Counter()
    for index in range(1, 5):
        log = lab.log(Id(number=number, type="search", index=index))
        suggestions.update(re.findall(r"^(\d+): x ", log, re.MULTILINE))
    assert suggestions == {str(sub): 1 for sub in range(1, 13)}
    assert list(recorded(lab, number)) == list(range(1, 13))
    # An undisturbed search with the same seed is the same.
    lab.run(search(tmp_path, 12), **VARIABLES)
    assert parameters(lab, 2) == parameters(lab, number)
