"""Sets of several Workflows, as a real Argo recorded them after retry, extend and resume.

grow-2      2.1 finished, 2.2 failed        train
grow-2-s2   2.3 finished                    train --extend 2
grow-2-s3   2.2 failed again                train --resume 2 --in-place
grow-3      3.1, 3.2, 3.3                   train --resume 2
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from riseml import status
from riseml.status import ExperimentStatus, SetStatus, State, attempts
from riseml.status.data import encode, from_data, to_data
from riseml.status.shards import merged, seen_from, shard_of

FOLDER = Path(__file__).parents[2] / "fixtures" / "shards"
NAMES = ("grow-2", "grow-2-s2", "grow-2-s3")


def recorded(name: str) -> Any:
    return json.loads((FOLDER / f"{name}.json").read_text("utf-8"))


def recorded_attempts(experiment: ExperimentStatus) -> list[tuple[int, State]]:
    (job,) = experiment.jobs
    return [(attempt.attempt, attempt.state) for attempt in job.attempts]


@pytest.fixture
def run() -> SetStatus:
    return merged([status.read(recorded(name)) for name in NAMES])


def test_several_workflows_are_one_set(run: SetStatus) -> None:
    assert (run.id, run.state, run.counts) == (
        "2",
        State.FAILED,
        {State.FINISHED: 2, State.FAILED: 1},
    )
    assert [
        (experiment.id, experiment.parameters["lr"], experiment.shard)
        for experiment in run.experiments
    ] == [("2.1", "0.1", 1), ("2.2", "0.2", 3), ("2.3", "0.3", 2)]
    assert [(shard.index, shard.name) for shard in run.shards] == [
        (1, "grow-2"),
        (2, "grow-2-s2"),
        (3, "grow-2-s3"),
    ]


def test_a_repeated_experiment_has_its_earlier_attempts(run: SetStatus) -> None:
    once, twice, added = run.experiments
    assert recorded_attempts(once) == [(0, State.FINISHED)]
    assert recorded_attempts(twice) == [(0, State.FAILED), (1, State.FAILED)]
    assert recorded_attempts(added) == [(0, State.FINISHED)]
    (job,) = twice.jobs
    assert [attempt.max_attempts for attempt in job.attempts] == [2, 2]
    assert attempts.count(twice) == 2


def test_times_are_those_of_all_workflows(run: SetStatus) -> None:
    parts = [status.read(recorded(name)) for name in NAMES]
    starts = [part.started for part in parts]
    ends = [part.finished for part in parts]
    assert (run.started, run.finished) == (starts[0], ends[2])


def test_an_archive_stands_for_the_workflows_that_are_gone(run: SetStatus) -> None:
    archived = from_data(recorded("run"))
    assert archived.shards == run.shards
    assert archived.counts == run.counts
    # A record of the first two, and the third Workflow.
    earlier = merged([status.read(recorded(name)) for name in NAMES[:2]])
    record = from_data(json.loads(json.dumps(to_data(earlier), default=encode)))
    assert merged([record, status.read(recorded("grow-2-s3"))]) == run


def test_an_experiment_has_the_code_of_its_own_workflow(run: SetStatus) -> None:
    last = replace(run.shards[2], revision="new", config="new: 1")
    run = replace(run, shards=(*run.shards[:2], last))
    assert shard_of(run, 3) == last
    first, second, _ = run.experiments
    assert seen_from(run, first).revision == run.revision
    assert seen_from(run, second).revision == "new"
    assert seen_from(run, second).config == "new: 1"
    # A record that knows of no other Workflow has one.
    assert shard_of(replace(run, shards=()), 3).revision == run.revision


def test_experiments_say_what_they_continue(run: SetStatus) -> None:
    assert [experiment.resume for experiment in run.experiments] == [
        None,
        "grow/grow/2/2",
        None,
    ]
    continued = status.read(recorded("grow-3"))
    assert [experiment.resume for experiment in continued.experiments] == [
        "grow/grow/2/1",
        "grow/grow/2/2",
        "",
    ]


def test_an_experiment_that_never_began_has_no_attempt(run: SetStatus) -> None:
    (job,) = run.experiments[0].jobs
    planned = replace(run.experiments[0], jobs=(replace(job, node_id=""),))
    assert attempts.count(planned) == 0
    repeated = attempts.following(planned, run.experiments[0])
    assert [attempt.attempt for attempt in repeated[0].attempts] == [0]
