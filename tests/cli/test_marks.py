"""Names, tags and notes of runs: `riseml tag`, `riseml note`, and where they are shown."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from riseml.plan import Marks
from riseml.status import State
from tests.cli.conftest import Riseml
from tests.cli.fake_engine import FakeEngine, grid, single
from tests.cli.test_train import PLAIN

BASELINE = Marks("baseline", ("draft", "paper"), "before the new augmentation")


@pytest.fixture(autouse=True)
def _runs(engine: FakeEngine) -> None:
    engine.runs = [
        grid(15, [State.FINISHED, State.RUNNING]),
        replace(single(14, State.FINISHED), marks=BASELINE),
        single(13, State.FAILED),
    ]


def test_tags_are_added_and_removed(engine: FakeEngine, riseml: Riseml) -> None:
    result = riseml("tag", "14", "15", "--add", "good", "--remove", "draft")
    assert result.out == "14: baseline #good #paper\n15: #good\n"
    assert engine.runs[1].marks == replace(BASELINE, tags=("good", "paper"))
    assert engine.runs[0].marks == Marks(tags=("good",))


def test_a_run_is_named_and_loses_its_name(engine: FakeEngine, riseml: Riseml) -> None:
    assert riseml("tag", "13", "--name", "broken").out == "13: broken\n"
    assert riseml("tag", "broken", "--name", "").out == "13: no tags\n"
    assert engine.runs[2].marks == Marks()


def test_tags_are_shown_without_a_change(engine: FakeEngine, riseml: Riseml) -> None:
    assert riseml("tag", "14").out == "14: baseline #draft #paper\n"
    assert not [call for call in engine.calls if call[0] == "mark"]


def test_a_note_is_written_shown_and_removed(
    engine: FakeEngine, riseml: Riseml
) -> None:
    assert riseml("note", "baseline").out == "before the new augmentation\n"
    assert riseml("note", "13", "lr too high").out == ""
    assert riseml("note", "13").out == "lr too high\n"
    assert riseml("note", "13", "").status == 0
    assert riseml("note", "13").err == (
        "13 has no note; `riseml note 13 TEXT` writes one.\n"
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("tag", "13", "15.1", "--add", "x"), "only whole runs have a name, tags"),
        (("tag", "13", "12", "--add", "x"), "no experiment 12"),
        (("tag", "13", "14", "--name", "x"), "only one run can get a name"),
        (("tag", "13", "--add", "a b"), "'a b' cannot be a tag"),
        (("tag", "nobody", "--add", "x"), "no run has the name 'nobody'"),
        (("train", "--name", "14.3"), "'14.3' cannot be the name of a run"),
    ],
)
def test_nothing_changes_if_one_thing_is_wrong(
    engine: FakeEngine, riseml: Riseml, words: tuple[str, ...], message: str
) -> None:
    result = riseml(*words)
    assert result.status in {2, 4}
    assert message in result.err
    assert not [call for call in engine.calls if call[0] in {"mark", "start"}]


def test_a_name_stands_for_an_id(engine: FakeEngine, riseml: Riseml) -> None:
    assert riseml("wait", "baseline").out.startswith("Experiment 14 FINISHED")
    assert riseml("status", "baseline").out.splitlines()[:5] == [
        "ID: 14",
        "Type: Experiment",
        "Name: baseline",
        "Tags: draft, paper",
        "Note: before the new augmentation",
    ]
    engine.runs[0] = replace(engine.runs[0], marks=Marks("baseline"))
    ambiguous = riseml("status", "baseline")
    assert ambiguous.status == 2
    assert "several runs have the name baseline: 15, 14" in ambiguous.err
    # A dot always stands for a user.
    assert riseml("status", ".baseline").status == 0


def test_lists_show_and_filter_marks(riseml: Riseml) -> None:
    listed = riseml("status", "-a").out.splitlines()
    assert listed[0].split() == ["ID", "NAME", "PROJECT", "STATE", "AGE", "TYPE"]
    assert listed[2].startswith("14     baseline #draft #paper toaster-net")
    filtered = riseml("status", "-a", "--tag", "paper", "--tag", "draft", "-o", "json")
    (record,) = json.loads(filtered.out)
    assert (record["id"], record["marks"]) == (
        "14",
        {
            "name": "baseline",
            "tags": ["draft", "paper"],
            "note": "before the new augmentation",
        },
    )
    assert riseml("status", "-a", "--tag", "other").out == ""


def test_a_run_starts_with_marks(engine: FakeEngine, riseml: Riseml) -> None:
    Path("riseml.yml").write_text(PLAIN)
    riseml("train", "--name", "second", "--tag", "b", "--tag", "a", "--note", "text")
    ((_, submission),) = [call for call in engine.calls if call[0] == "start"]
    assert submission.marks == Marks("second", ("a", "b"), "text")
