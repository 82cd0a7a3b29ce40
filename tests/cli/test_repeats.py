"""`riseml retry`, `rerun`, `train --extend` and `train --resume`: what they ask for, ask about and print."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from riseml.cli import output
from riseml.client.client import Client
from riseml.client.repeat_types import FolderCode, Grown, Repetition
from riseml.errors import OtherCodeError
from tests.cli.conftest import Riseml
from tests.cli.fake_engine import FakeEngine

TWO = Grown("14", "toaster-net", is_set=True, experiments=("14.3", "14.5"))
OTHER = OtherCodeError(
    "experiments of 14 ran other code or another configuration; what differs: run",
    "Agree with -y, or start a new run with `riseml train`.",
)
CONFIG = """\
project: toaster-net
train:
  image: python:3.12
  resources: {cpus: 1, mem: 512}
  parameters: {lr: [0.1, 0.2]}
  run: fit {{lr}}
"""
Calls = list[tuple[Any, ...]]


@pytest.fixture(autouse=True)
def _project(engine: FakeEngine) -> None:
    Path("riseml.yml").write_text(CONFIG)


def record(
    monkeypatch: pytest.MonkeyPatch, method: str, result: Callable[[Any], Any]
) -> Calls:
    """Replace a method of the client; return its calls. `result` gets its options."""
    calls: Calls = []

    def call(_: Client, *arguments: Any, **options: Any) -> Any:
        calls.append((*arguments, options))
        answer = result(options)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(Client, method, call)
    return calls


def test_retry_names_what_it_repeats(
    riseml: Riseml, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = tuple(f"14.{n}" for n in range(1, 12))
    grown = replace(TWO, notes=("a note",), tensorboard="http://tb")
    calls = record(monkeypatch, "retry", lambda _: grown)
    result = riseml("retry", "14", "--failed")
    assert (result.status, result.err) == (0, "a note\n")
    assert result.out == (
        "Repeating 2 experiments of set 14 (14.3, 14.5) in the background.\n"
        "TensorBoard: http://tb\n"
    )
    assert calls[0][0] == "14"
    assert calls[0][1]["failed"]
    assert calls[0][1]["folder"] is None
    record(monkeypatch, "retry", lambda _: replace(TWO, experiments=many))
    assert (
        "(14.1, 14.2, 14.3, 14.4, 14.5, 14.6, 14.7, 14.8, ...)"
        in riseml("retry", "14").out
    )
    single = Grown("7", "toaster-net", is_set=False, experiments=("7",))
    record(monkeypatch, "retry", lambda _: single)
    assert riseml("retry", "7").out == "Repeating experiment 7 in the background.\n"


def test_retry_with_nothing_to_repeat_is_no_error(
    riseml: Riseml, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(monkeypatch, "retry", lambda _: replace(TWO, experiments=()))
    result = riseml("retry", "14")
    assert (result.status, result.out) == (0, "")
    assert result.err == "Nothing to start: 14 has it all.\n"


def test_results_are_data_for_programs(
    riseml: Riseml, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(monkeypatch, "retry", lambda _: replace(TWO, tensorboard="http://tb"))
    assert json.loads(riseml("retry", "14", "-o", "json").out) == {
        "id": "14",
        "project": "toaster-net",
        "experiments": ["14.3", "14.5"],
        "tensorboard": "http://tb",
    }
    again = Repetition("15", "net-15", "net", is_set=True, experiments=2, revision="r")
    record(monkeypatch, "rerun", lambda _: replace(again, tensorboard="http://tb"))
    assert json.loads(riseml("rerun", "14", "-o", "json").out) == {
        "id": "15",
        "name": "net-15",
        "project": "net",
        "type": "set",
        "experiments": 2,
        "revision": "r",
        "tensorboard": "http://tb",
    }
    assert riseml("rerun", "14").out == (
        "Started set 15 with 2 experiments in the background, with the code of 14.\n"
        "TensorBoard: http://tb\n"
    )


@pytest.mark.parametrize(
    "words",
    [
        ["retry", "14", "--new-code"],
        ["train", "lr=0.3", "--extend", "14"],
        ["train", "--resume", "14", "--in-place"],
    ],
)
def test_other_code_needs_consent(
    words: list[str], riseml: Riseml, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(options: Any) -> Any:
        return TWO if options["other_code"] else OTHER

    method = "extend" if "--extend" in words else "retry"
    record(monkeypatch, method, answer)
    refused = riseml(*words)
    assert (refused.status, refused.out) == (2, "")
    assert "there is no terminal to ask on: experiments of 14 ran other" in refused.err
    agreed = riseml(*words, "-y")
    assert agreed.status == 0
    assert "Note: experiments of 14 ran other code or another" in agreed.err
    assert "2 experiments" in agreed.out
    # On a terminal, the command asks.
    questions: list[str] = []
    monkeypatch.setattr(output, "can_ask", lambda: True)
    monkeypatch.setattr(output, "ask", questions.append)
    declined = riseml(*words)
    assert (declined.status, declined.out) == (1, "")
    assert declined.err.endswith("Nothing was started.\n")
    assert questions == [f"{OTHER}. Go on?"]


def test_train_adds_to_a_set(riseml: Riseml, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = record(monkeypatch, "extend", lambda _: TWO)
    result = riseml(
        "train", "lr=0.1,0.3", "--set", "train.timeout=1h", "--extend", "14"
    )
    assert result.out == (
        "Adding 2 experiments to set 14 (14.3, 14.5) in the background.\n"
    )
    (id_, folder, _) = calls[0]
    assert id_ == "14"
    assert isinstance(folder, FolderCode)
    assert folder.path == "riseml.yml"
    assert folder.overrides.parameters == ("lr=0.1,0.3",)
    assert folder.overrides.settings == ("train.timeout=1h",)


def test_train_continues_in_place(
    riseml: Riseml, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = record(monkeypatch, "retry", lambda _: TWO)
    result = riseml("train", "--resume", "14", "--in-place")
    assert result.out.startswith("Continuing 2 experiments of set 14 (14.3, 14.5)")
    assert calls[0][0] == "14"
    assert calls[0][1]["resume"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--in-place"], "--in-place needs the experiments to continue"),
        (["--extend", "1", "--resume", "2"], "--extend does not work with --resume"),
        (["--extend", "1", "--dry-run"], "--extend does not work with --resume or"),
        (["--resume", "1", "--dry-run"], "--resume does not work with --dry-run"),
    ],
)
def test_options_that_do_not_fit_together(
    words: list[str], message: str, riseml: Riseml
) -> None:
    result = riseml("train", *words)
    assert result.status == 2
    assert result.err.startswith(f"riseml: error: {message}")
