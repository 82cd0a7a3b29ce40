"""Marks of a run: their form, and how the metadata of a Workflow carries them."""

import pytest

from riseml import marks
from riseml.errors import InvalidInputError
from riseml.plan import NO_MARKS, Marks

MARKS = Marks("baseline", ("lr.sweep", "paper"), "before\nthe new augmentation")


def test_tags_are_sorted_and_distinct() -> None:
    checked = marks.checked("baseline", ["paper", "lr.sweep", "paper"], MARKS.note)
    assert checked == MARKS


@pytest.mark.parametrize("name", ["14", "14.3", "a b", "-a", "a.b", "a-", "x" * 64])
def test_a_name_is_not_like_an_id(name: str) -> None:
    with pytest.raises(InvalidInputError, match="cannot be the name of a run"):
        marks.checked(name, (), "")


@pytest.mark.parametrize("tag", ["", "a b", "a/b", ".a", "a-", "x" * 64, "ä"])
def test_a_tag_fits_into_a_label(tag: str) -> None:
    with pytest.raises(InvalidInputError, match="cannot be a tag"):
        marks.checked("", ["ok", tag], "")


def test_a_note_is_short() -> None:
    with pytest.raises(InvalidInputError, match="the note is longer than 10,000 bytes"):
        marks.checked("", (), "ä" * 5_001)


def test_the_metadata_of_a_workflow_carries_marks() -> None:
    metadata = {
        "labels": {**marks.labels_of(MARKS), "riseml.io/user": "paul"},
        "annotations": marks.annotations_of(MARKS),
    }
    assert metadata["labels"] == {
        "riseml.io/name": "baseline",
        "tags.riseml.io/lr.sweep": "true",
        "tags.riseml.io/paper": "true",
        "riseml.io/user": "paul",
    }
    assert marks.read(metadata) == MARKS


@pytest.mark.parametrize("metadata", [{}, {"labels": None}, {"annotations": [1]}])
def test_a_workflow_without_marks(metadata: dict[str, object]) -> None:
    assert marks.read(metadata) == NO_MARKS
    assert marks.labels_of(NO_MARKS) == marks.annotations_of(NO_MARKS) == {}


def test_json_data_carries_marks() -> None:
    assert marks.from_data(marks.to_data(MARKS)) == MARKS
    assert marks.from_data(None) == NO_MARKS
