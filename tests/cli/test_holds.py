"""Screens of held jobs, and `riseml release`."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from riseml.status import SetStatus, State, held
from riseml.status.held import Hold
from tests.cli.conftest import Riseml
from tests.cli.fake_engine import NOW, FakeEngine, grid, single

HOLD = {"train": Hold(0, 3, NOW + timedelta(minutes=29))}
SENTENCE = (
    "failed with exit code 3, held for another 29 min: `riseml shell {id}` gets in,"
    " `riseml release {id}` releases it"
)


def with_holds(run: SetStatus, *subs: int) -> SetStatus:
    """Return a run whose experiments with these numbers are held."""
    experiments = []
    for experiment in run.experiments:
        is_held = experiment.number in subs
        experiments.append(held.with_holds(experiment, HOLD if is_held else {}))
    return replace(run, experiments=tuple(experiments))


def test_status_shows_a_held_job_as_held(engine: FakeEngine, riseml: Riseml) -> None:
    engine.runs = [with_holds(single(14), 1)]
    lines = riseml("status", "14").out.splitlines()
    assert "State: ✗ HELD" in lines
    assert "Reason: HELD" in lines
    assert f"Message: {SENTENCE.format(id='14')}" in lines
    assert lines[-1].split()[:3] == ["14.train", "✗", "HELD"]
    lines = riseml("status", "14.train").out.splitlines()
    assert "State: ✗ HELD" in lines
    assert f"Message: {SENTENCE.format(id='14.train')}" in lines
    assert "Exit Code: 3" in lines


def test_the_shell_of_a_gang_is_that_of_its_held_job(
    engine: FakeEngine, riseml: Riseml
) -> None:
    run = with_holds(single(14), 1)
    (experiment,) = run.experiments
    peer = replace(single(14).experiments[0].jobs[0], id="14.master", type="master")
    gang = replace(experiment, jobs=(peer, *experiment.jobs))
    engine.runs = [replace(run, experiments=(gang,))]
    assert (
        "held for another 29 min: `riseml shell 14.train` gets in,"
        " `riseml release 14` releases it\n"
    ) in riseml("status", "14").out


def test_a_set_shows_which_of_its_experiments_are_held(
    engine: FakeEngine, riseml: Riseml, screen: Callable[..., None]
) -> None:
    engine.runs = [with_holds(grid(13, [State.RUNNING, State.RUNNING]), 2)]
    lines = riseml("status", "13").out.splitlines()
    assert f"13.2: {SENTENCE.format(id='13.2')}" in lines
    rows = {line.split()[0]: line.split()[2] for line in lines if line[:2] == "13"}
    assert (rows["13.1"], rows["13.2"]) == ("RUNNING", "HELD")
    screen(width=200)
    engine.interrupted_views = True
    watched = riseml("status", "13", "-w")
    assert "✗ HELD" in watched.out
    assert SENTENCE.format(id="13.2")[:40] in watched.out


def test_programs_see_until_when_a_job_is_held(
    engine: FakeEngine, riseml: Riseml
) -> None:
    engine.runs = [with_holds(single(14), 1)]
    record = json.loads(riseml("status", "14.train", "-o", "json").out)
    assert (record["state"], record["reason"]) == ("RUNNING", "HELD")
    assert (record["exit_code"], record["message"]) == (3, "failed with exit code 3")
    assert record["held_until"] == "2018-01-31T12:29:00Z"


def test_why_explains_the_failure_and_the_hold(
    engine: FakeEngine, riseml: Riseml
) -> None:
    engine.runs = [with_holds(single(14), 1)]
    lines = riseml("why", "14").out.splitlines()
    assert lines[0] == "14.train ✗ FAILED: a line of `run` ended with exit code 3"
    assert lines[-1].endswith(
        "It is held: `riseml shell 14.train` gets in, `riseml release 14.train` releases it."
    )


def test_all_held_jobs_of_the_ids_are_released(
    engine: FakeEngine, riseml: Riseml
) -> None:
    states = [State.RUNNING] * 3
    engine.runs = [with_holds(single(14), 1), with_holds(grid(13, states), 1, 3)]
    result = riseml("release", "13", "14.train", "13.1")
    assert result.out.splitlines() == [
        "released 13.1.train",
        "released 13.3.train",
        "released 14.train",
    ]
    released = [call for call in engine.calls if call[0] == "release"]
    assert released[0] == ("release", "13", ["13.1.train", "13.3.train"])
    assert released[1] == ("release", "14", ["14.train"])


def test_an_id_without_held_jobs_releases_nothing(
    engine: FakeEngine, riseml: Riseml
) -> None:
    engine.runs = [with_holds(single(14), 1), single(13)]
    result = riseml("release", "14", "13")
    assert (result.status, result.out) == (4, "")
    assert result.err == (
        "riseml: error: no job of 13 is held\n`riseml status 13` shows its state.\n"
    )
    assert not [call for call in engine.calls if call[0] == "release"]


def test_a_kill_that_ended_a_hold_is_not_given_as_the_reason(
    engine: FakeEngine, riseml: Riseml
) -> None:
    run = single(14, State.FAILED, reason="ERROR", message="exit code 3")
    engine.runs = [replace(run, message="Stopped with strategy 'Terminate'")]
    assert "Message: exit code 3" in riseml("status", "14").out.splitlines()


def test_a_list_shows_held_runs(engine: FakeEngine, riseml: Riseml) -> None:
    runs = [
        with_holds(single(14), 1),
        with_holds(grid(13, [State.RUNNING, State.RUNNING]), 2),
    ]
    engine.runs = [held.with_mark(run, run.experiments) for run in runs]
    lines = riseml("status").out.splitlines()
    assert [line.split()[:4] for line in lines[1:3]] == [
        ["14", "toaster-net", "✗", "HELD"],
        ["13", "toaster-net", "●", "RUNNING"],
    ]
    assert lines[3:] == [
        "",
        "14: it has failed, and is held; `riseml why 14` says more",
        "13: 1 of its experiments has failed, and is held; `riseml why 13` says more",
    ]
