"""Submitter of a run: the annotation, Argo's labels, and copies by `argo resubmit`."""

import json
from pathlib import Path

import pytest

from riseml import labels
from riseml.status import State, submitter
from riseml.status.reader import read
from tests.unit.plans import compiled, grid

FOLDER = Path(__file__).parents[2] / "fixtures" / "submitters"
SUBMITTED = {labels.SUBMITTER: "oidc:ana@example.com"}
CREATOR = {
    labels.CREATOR: "CgNhbmESBWxvY2Fs",
    labels.CREATOR_EMAIL: "ana.at.example.com",
    labels.CREATOR_NAME: "ana",
}


@pytest.mark.parametrize(
    ("tags", "notes", "name"),
    [
        ({}, SUBMITTED, "oidc:ana@example.com"),
        (CREATOR, SUBMITTED, "oidc:ana@example.com"),
        (CREATOR, {}, "ana@example.com"),
        ({labels.CREATOR: "CgNh", labels.CREATOR_NAME: "ana"}, {}, "ana"),
        ({labels.CREATOR: "CgNh"}, {}, "CgNh"),
        ({}, {}, ""),
        ({}, {labels.SUBMITTER: ["ana"]}, ""),
        # Anybody can copy a run of Ana's.
        ({labels.RESUBMITTED: "digits-1"}, SUBMITTED, ""),
        ({**CREATOR, labels.RESUBMITTED: "digits-1"}, SUBMITTED, "ana@example.com"),
    ],
)
def test_the_name_is_read_where_it_can_be_trusted(
    tags: dict[str, str], notes: dict[str, object], name: str
) -> None:
    assert submitter.read(tags, notes) == name


def test_the_status_of_a_run_has_its_submitter() -> None:
    document = compiled(grid({"lr": "0.1"}))
    assert read(document).submitter == ""
    document["metadata"]["annotations"].update(SUBMITTED)
    assert read(document).submitter == "oidc:ana@example.com"


@pytest.mark.parametrize(
    ("recording", "name"),
    [
        ("person", "ana@example.com"),
        ("key", "system:serviceaccount:riseml-identity:riseml-user"),
        # The Argo Server had started this one for her.
        ("single-sign-on", "ana@example.com"),
    ],
)
def test_recordings_of_a_cluster_name_who_submitted_them(
    recording: str, name: str
) -> None:
    text = (FOLDER / f"{recording}.json").read_text(encoding="utf-8")
    run = read(json.loads(text))
    assert run.submitter == name
    assert run.state is State.FINISHED
