"""Names, tags and notes of runs in a home: from the start, and changed at any time."""

import json
import os
from dataclasses import replace

from riseml.config import load_text
from riseml.engines import Query, Submission
from riseml.engines.local import protocol
from riseml.ids import Id
from riseml.plan import Marks
from riseml.planner import plan
from tests.local.conftest import Lab

BASELINE = Marks("baseline", ("paper",), "before the new augmentation")
CHANGED = Marks("first", ("draft", "good"), "after it")


def start(lab: Lab, run: str) -> Id:
    """Start an experiment with marks."""
    text = f"project: lab\ntrain:\n  image: busybox\n  run: {run}\n"
    revision = lab.engine.snapshot("lab", lab.folder).revision
    submission = Submission(
        plan(load_text(text)), revision, dict(os.environ), marks=BASELINE
    )
    return Id(number=lab.engine.start(submission).number)


def test_marks_change_while_a_run_is_active_and_after_its_end(lab: Lab) -> None:
    run = start(lab, "while [ ! -e $OUTPUT_DIR/go ]; do sleep 0.05; done")
    assert lab.engine.read(run).marks == BASELINE
    lab.engine.mark(run, CHANGED)
    assert lab.engine.read(run).marks == CHANGED
    (lab.output(1) / "go").touch()
    lab.wait(run)
    record = lab.output(1) / "run.json"
    assert json.loads(record.read_text())["marks"]["name"] == "first"
    lab.engine.mark(run, BASELINE)
    assert lab.engine.read(run).marks == BASELINE
    assert json.loads(record.read_text())["marks"] == {
        "name": "baseline",
        "tags": ["paper"],
        "note": "before the new augmentation",
    }


def test_marks_select_runs(lab: Lab) -> None:
    run = start(lab, "'true'")
    other = start(lab, "'true'")
    lab.engine.mark(other, CHANGED)
    engine = lab.engine

    def numbers(query: Query) -> list[int | None]:
        return [status.number for status in engine.list(replace(query, all=True))]

    assert numbers(Query()) == [other.number, run.number]
    assert numbers(Query(tags=("paper",), last=1)) == [run.number]
    assert numbers(Query(tags=("draft", "good"))) == [other.number]
    assert numbers(Query(tags=("draft", "paper"))) == []
    assert numbers(Query(name="baseline")) == [run.number]
    lab.wait(run)
    lab.wait(other)


def test_a_rebuilt_list_of_runs_has_the_marks(lab: Lab) -> None:
    run = start(lab, "'true'")
    lab.wait(run)
    lab.engine.mark(run, CHANGED)
    protocol.stop_controller(lab.engine.home)
    for file in lab.engine.home.glob("riseml.db*"):
        file.unlink()
    lab.engine.repair()
    assert lab.engine.read(run).marks == CHANGED
    assert [status.marks for status in lab.engine.list(Query(all=True))] == [CHANGED]
