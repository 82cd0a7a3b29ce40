"""Results that jobs report: complete, of the last attempt, the same before and after the end."""

import json
from typing import Any

from riseml.ids import Id
from riseml.status import ExperimentStatus, State
from riseml.status.data import from_data
from tests.local.conftest import Lab

REPORT = """
import os, riseml, time
count = int(os.environ["CLASSES"])
riseml.report_result(map50=0.61, **{f"val/ap_class_{i:03d}": 0.123456789012345 + i for i in range(count)})
until = os.environ.get("UNTIL", "/")
while not os.path.exists(until):
    time.sleep(0.02)
"""


def classes(count: int) -> dict[str, float]:
    values = {f"val/ap_class_{i:03d}": 0.123456789012345 + i for i in range(count)}
    return {"map50": 0.61, **values}


def archived(lab: Lab, number: int) -> tuple[ExperimentStatus, ...]:
    data = json.loads((lab.output(number) / "run.json").read_text())
    return from_data(data).experiments


def test_results_of_any_length_are_complete(lab: Lab) -> None:
    lab.write({"report.py": REPORT})
    counts = (10, 55, 80, 5000)
    run = lab.run(f"parameters: {{classes: {list(counts)}}}\nrun: python3 report.py")
    expected = [classes(count) for count in counts]
    assert [experiment.result for experiment in run.experiments] == expected
    assert [experiment.result for experiment in archived(lab, 1)] == expected


def test_a_long_result_is_the_same_while_the_job_runs(lab: Lab) -> None:
    lab.write({"report.py": REPORT})
    until = lab.folder.parent / "until"
    lab.train(f"run: python3 report.py\nenv: {{CLASSES: '80', UNTIL: {until}}}")
    lab.until(lambda: lab.engine.read(Id(number=1)).result)
    live = lab.engine.read(Id(number=1))
    assert (live.state, live.result) == (State.RUNNING, classes(80))
    until.touch()
    lab.wait(1)
    ended = lab.engine.read(Id(number=1))
    assert (ended.state, ended.result) == (State.FINISHED, classes(80))


def test_a_line_that_is_not_json_is_named(lab: Lab) -> None:
    lab.write(
        {
            "a.sh": """echo "{'loss': 0.3}" >> $RESULT_FILE; printf '{"acc": NaN}' >> $RESULT_FILE\n"""
        }
    )
    resources = "resources: {cpus: 0.01, mem: 200}"
    (experiment,) = lab.run(f"{resources}\nrun: sh a.sh").experiments
    assert experiment.result == {"acc": "NaN"}
    (note,) = experiment.notes
    assert note.startswith("line 1 of $RESULT_FILE is not JSON: {'loss': 0.3}")
    assert archived(lab, 1)[0].notes == (note,)


ATTEMPTS = """
import os, riseml, sys
attempt = int(os.environ["RISEML_ATTEMPT"])
if attempt == 0:
    riseml.report_result(only_first=1)
if attempt < int(os.environ["ALONE"]):
    riseml.report_result(attempt=attempt)
sys.exit(attempt < 1)
"""


def attempts(lab: Lab, text: str) -> list[Any]:
    lab.write({"attempts.py": ATTEMPTS})
    run = lab.run(text)
    assert run.state is State.FINISHED, lab.log(1)
    results = [experiment.result for experiment in run.experiments]
    assert [experiment.result for experiment in archived(lab, 1)] == results
    return results


def test_results_of_a_failed_attempt_are_not_those_of_the_next(lab: Lab) -> None:
    text = "parameters: {alone: [1, 2]}\nretries: 2\nrun: python3 attempts.py"
    # The second attempt of the first experiment reports nothing.
    assert attempts(lab, text) == [None, {"attempt": 1}]
    first = lab.output(1, 2) / ".riseml" / "results.0.jsonl"
    assert json.loads(first.read_text().splitlines()[-1]) == {
        "attempt": 0,
        "only_first": 1,
    }


def test_a_gang_has_results_of_its_last_attempt(lab: Lab) -> None:
    text = """
    framework: jax
    jax: {workers: 3}
    retries: 1
    env: {ALONE: '2'}
    run: python3 attempts.py
    """
    assert attempts(lab, text) == [{"attempt": 1}]
