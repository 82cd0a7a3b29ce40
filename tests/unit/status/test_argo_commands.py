"""Runs that somebody has changed with `argo` or `kubectl`, as recorded by a real cluster."""

import json
from pathlib import Path
from typing import Any

import pytest

from riseml import status
from tests.unit.recordings import told

FOLDER = Path(__file__).parents[2] / "fixtures" / "argo_commands"
NAMES = sorted(file.stem for file in FOLDER.glob("*.json"))
MESSAGES = {
    "stopped": "stopped with Argo by admin (`argo stop`)",
    "terminated": "stopped with Argo by admin (`argo terminate`)",
    "pod-deleted": "pod deleted externally",
    "retried": "",
    "killed-and-retried": "",
}


def recorded(name: str) -> dict[str, Any]:
    recording: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text())
    return recording


@pytest.mark.parametrize("name", NAMES)
def test_a_recorded_document_has_the_recorded_status(name: str) -> None:
    recording = recorded(name)
    assert told(recording["document"])["experiments"] == recording["expect"]


@pytest.mark.parametrize("name", MESSAGES)
def test_the_message_says_what_was_done(name: str) -> None:
    run = status.read(recorded(name)["document"])
    assert run.experiments[0].message == MESSAGES[name]


def test_a_copy_names_the_original() -> None:
    message = status.read(recorded("copied")["document"]).experiments[0].message
    assert "this is a copy of recorded-net-" in message
    assert "`riseml rerun` runs it again" in message


def test_a_suspended_run_says_how_it_continues() -> None:
    run = status.read(recorded("suspended")["document"])
    assert run.message == f"suspended with Argo; `argo resume {run.name}` continues it"


def test_a_killed_and_retried_run_has_its_old_kill() -> None:
    # The recording would prove nothing without it.
    document = recorded("killed-and-retried")["document"]
    assert document["metadata"]["annotations"]["riseml.io/killed"].startswith("*=")
