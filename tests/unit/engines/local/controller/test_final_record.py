"""Final status of a run: made experiment by experiment, it is the one that the whole document gives."""

import json
import tracemalloc
from dataclasses import replace

import pytest

from riseml import status
from riseml.engines.local import reports
from riseml.engines.local.controller import final_record, stored_run
from riseml.plan import ExperimentSet, Retries
from riseml.status import ExperimentStatus, SetStatus, State
from riseml.status.data import encode, to_data
from tests.folders import write
from tests.unit.engines.local.controlled_home import ControlledHome
from tests.unit.plans import grid, single

SET = grid({"lr": "1"}, {"lr": "2"}, {"lr": "3"}, concurrency=2)


def whole(home: ControlledHome) -> SetStatus:
    """Return the status of run 1, read from its complete document."""
    row = home.store.run(1)
    assert row is not None
    document = stored_run.stored_document(home.store, row)
    document["status"] = stored_run.replay(home.store, 1, document).status()
    return reports.with_results(status.read(document), home.output(1))


def recorded(home: ControlledHome) -> tuple[str, str]:
    """Return the column of the database and run.json."""
    row = home.store.one(
        "SELECT CAST(status AS TEXT) AS status FROM runs WHERE number = 1"
    )
    assert row is not None
    return row["status"], home.output(1, "run.json").read_text()


def json_of(run: SetStatus) -> str:
    return json.dumps(to_data(run), default=encode)


def archive_of(run: SetStatus) -> str:
    """Return run.json: indented, but with one line for each experiment."""
    data = json.loads(json_of(run))
    lines = [f"  {json.dumps(experiment)}" for experiment in data["experiments"]]
    data["experiments"] = ["here"] if lines else []
    text = json.dumps(data, indent=1)
    return text.replace('  "here"', ",\n".join(lines))


@pytest.mark.parametrize("plan", [SET, replace(SET, retries=Retries(1))])
def test_the_record_of_a_set_is_that_of_its_document(
    home: ControlledHome, plan: ExperimentSet
) -> None:
    home.start(plan)
    write(home.output(1, "2"), {".riseml/results.jsonl": '{"loss": 0.25}\n'})
    home.end("2.train")
    while home.running():
        home.end(*home.running(), status=3)
    expected = whole(home)
    assert (expected.state, expected.counts) == (
        State.FAILED,
        {State.FAILED: 2, State.FINISHED: 1},
    )
    assert expected.experiments[1].results == {"loss": 0.25}
    assert recorded(home) == (json_of(expected), archive_of(expected))


def test_the_record_of_a_single_experiment_is_that_of_its_document(
    home: ControlledHome,
) -> None:
    home.start(single())
    home.end(*home.running())
    expected = whole(home)
    assert expected.state is State.FINISHED
    assert recorded(home) == (json_of(expected), archive_of(expected))


def test_the_record_of_a_killed_run_is_that_of_its_document(
    home: ControlledHome,
) -> None:
    home.start(SET)
    home.runs.stop(1)
    for _ in range(3):
        home.settle()
    expected = whole(home)
    assert expected.counts == {State.KILLED: 3}
    assert recorded(home) == (json_of(expected), archive_of(expected))


def test_a_record_without_experiments_is_json() -> None:
    run = SetStatus("1", message='"experiments": [')
    record = final_record.of_run(run)
    assert "".join(record.parts()) == json_of(run)
    assert "".join(record.archive_parts()) == archive_of(run)


def test_texts_of_a_run_are_written_as_they_are() -> None:
    message = 'a "quoted"\nline with ünïcode and {"experiments": []}'
    one = ExperimentStatus("1.1", 1, parameters={"a\nb": "c\n d"}, message=message)
    run = SetStatus("1", is_set=True, message=message, experiments=(one, one))
    record = final_record.of_run(run)
    assert "".join(record.parts()) == json_of(run)
    assert "".join(record.archive_parts()) == archive_of(run)


def test_texts_are_compressed_and_keep_their_order() -> None:
    texts = final_record.Texts()
    expected = [f"{number} ünï \\n {'x' * 300}" for number in range(1001)]
    for text in expected:
        texts.append(text)
    assert list(texts) == list(texts) == expected
    assert sum(map(len, texts._blocks)) < 1001 * 30


def test_the_end_of_a_large_set_keeps_no_statuses_of_its_experiments(
    home: ControlledHome,
) -> None:
    home.start(grid(*({"lr": str(number)} for number in range(400)), concurrency=2))
    home.end(*home.running())
    tracemalloc.start()
    try:
        home.runs.stop(1)
        for _ in range(3):
            home.settle()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    text, _ = recorded(home)
    # The complete statuses took 20 times the size of their text.
    assert peak < 8 * len(text)
