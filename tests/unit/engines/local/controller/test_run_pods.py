"""Pods of a run: gangs and their ports, what is waited for, samples of running jobs."""

import time
from typing import Any

import pytest

from riseml.engines.local.controller import gangs
from riseml.engines.local.controller.ports import port_of, read_addresses
from riseml.plan import Job, Resources, Retries, host
from riseml.status import State
from tests.unit.engines.local.controlled_home import ControlledHome
from tests.unit.plans import single

GANG = single(
    jobs=(
        Job(
            "master", ("x",), Resources(), framework_env={"PEER": f"{host('ps')}:2222"}
        ),
        Job("ps", ("x",), Resources(), framework_env={"PEER": f"{host('ps')}:2222"}),
    )
)


def address(home: ControlledHome) -> str:
    """Return the address of this machine at which all jobs of experiment 1 meet."""
    jobs = home.running().values()
    (local_address,) = {job.spec.main.env["PEER"] for job in jobs}
    return local_address


def test_the_jobs_of_a_gang_meet_at_a_port_of_this_machine(
    home: ControlledHome,
) -> None:
    home.start(GANG)
    assert sorted(home.running()) == ["1.master", "1.ps"]
    (file,) = home.home.glob("runs/1/addresses.*.json")
    meeting = address(home)
    assert meeting in read_addresses(file).values()
    assert meeting.startswith("127.0.0.1:")
    home.end("1.ps", "1.master")
    assert home.read().state is State.FINISHED


def test_a_gang_whose_port_is_lost_restarts_once_with_another_one(
    home: ControlledHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    listeners: dict[int, int] = {}
    monkeypatch.setattr(gangs, "_listeners", lambda: listeners)
    home.start(GANG)
    first = address(home)
    # Another program took the port before the job did.
    listeners[port_of(first)] = 1
    home.end("1.ps", status=1)
    home.settle()
    home.settle()
    second = address(home)
    assert (len(home.jobs.started), second == first) == (4, False)
    assert sorted(home.running()) == ["1.master", "1.ps"]
    assert home.read().experiments[0].attempt == 0
    listeners[port_of(second)] = 1
    home.end("1.ps", status=1)
    home.settle()
    home.settle()
    (experiment,) = home.read().experiments
    assert experiment.state is State.FAILED
    assert "for the second time" in experiment.message


def test_a_gang_that_fails_for_another_reason_does_not_restart(
    home: ControlledHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gangs, "_listeners", dict)
    home.start(GANG)
    home.end("1.ps", status=3)
    home.settle()
    home.settle()
    (experiment,) = home.read().experiments
    assert (experiment.state, experiment.exit_code) == (State.FAILED, 3)
    assert len(home.jobs.started) == 2


def test_a_gang_that_lives_on_keeps_its_ports(home: ControlledHome) -> None:
    home.start(GANG)
    before = address(home)
    home.restart()
    assert address(home) == before
    assert port_of(before) in home.services.ports._reserved


def test_samples_record_logs_and_progress(
    home: ControlledHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.start(single())
    logs = home.output(1, ".riseml/logs")
    logs.mkdir(parents=True, exist_ok=True)
    (logs / "train.0.log").write_text("one\ntwo\n")
    begun = time.time()
    home.runs._sample(home.runs._next_sample)
    seconds, length = (logs / "train.0.log.times").read_text().split()
    assert length == "8"
    assert float(seconds) == pytest.approx(begun, abs=60)
    # A sample that another one has replaced does nothing.
    before = home.runs._next_sample
    home.runs._sample(before - 1)
    assert home.runs._next_sample == before


def test_a_killed_experiment_that_waits_has_no_further_attempt(
    home: ControlledHome,
) -> None:
    large: dict[str, Any] = {"job_resources": Resources(mem=1 << 39)}
    home.start(single(**large))
    home.start(single(**large))
    home.start(single(retries=Retries(2), **large))
    waiting = home.read(3)
    assert waiting.state is State.PENDING
    assert waiting.experiments[0].message == "waiting: 549756 MB needed, 0 MB free"
    assert home.runs.stop(3)
    home.settle()
    assert home.read(3).state is State.KILLED
    # It never had a process.
    assert (len(home.jobs.started), home.jobs.signals) == (2, [])


def test_a_missing_module_records_where_python_looked(home: ControlledHome) -> None:
    home.start(single())
    logs = home.output(1, ".riseml/logs")
    logs.mkdir(parents=True, exist_ok=True)
    log = logs / "train.0.log"
    log.write_text("ModuleNotFoundError: No module named 'torch'\n")
    path = home.running()["1.train"].spec.main.env["PATH"]
    home.end("1.train", status=1)
    assert (logs / "train.0.log.path").read_text() == path
