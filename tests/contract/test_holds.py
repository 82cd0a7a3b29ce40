"""Contract of jobs that are kept after a failure: `hold_on_failure`, and their release."""

import time
from functools import partial

import pytest

from riseml.client.client import Client
from riseml.errors import NotFoundError
from riseml.ids import Id
from riseml.status import JobStatus, State
from tests.contract.bench import Bench


def job(bench: Bench, number: int) -> JobStatus:
    (experiment,) = bench.engine.read(Id(number=number)).experiments
    return experiment.jobs[0]


def train_held(bench: Bench, text: str = "", *, code: int = 3) -> int:
    """Start a run whose job fails, and return its number once the job is held."""
    number = bench.train(
        f"hold_on_failure: 10m\nrun: echo made > made.txt; exit {code}\n{text}"
    ).number
    bench.until(lambda: job(bench, number).held_until, "the job is held")
    return number


def test_a_failed_job_is_held_until_it_is_released(bench: Bench) -> None:
    number = train_held(bench)
    run = bench.engine.read(Id(number=number))
    (experiment,) = run.experiments
    assert run.state is State.RUNNING
    for part in (experiment, experiment.jobs[0]):
        assert (part.state, part.reason, part.exit_code) == (State.RUNNING, "HELD", 3)
        assert part.message == "failed with exit code 3"
    assert experiment.guilty == experiment.jobs[0].id
    assert experiment.held_until is not None
    assert 0 < experiment.held_until.timestamp() - time.time() <= 600
    client = Client(engine=bench.engine)
    assert client.release(str(number)) == [f"{number}.train"]
    ended = bench.wait(number)
    assert ended.state is State.FAILED
    last = job(bench, number)
    assert (last.reason, last.exit_code, last.held_until) == ("ERROR", 3, None)
    assert "released" in bench.log(number)
    with pytest.raises(NotFoundError, match=f"no job of {number} is held"):
        client.release(str(number))


def test_a_kill_ends_a_hold_at_once_and_the_job_has_failed(bench: Bench) -> None:
    number = train_held(bench)
    run_id = (
        Id(number=number, sub=1) if bench.engine.name == "argo" else Id(number=number)
    )
    assert bench.engine.stop(run_id)
    ended = bench.wait(number)
    last = job(bench, number)
    assert (ended.state, last.state) == (State.FAILED, State.FAILED)
    assert (last.reason, last.exit_code) == ("ERROR", 3)


def test_a_hold_ends_by_itself(bench: Bench) -> None:
    run = bench.run("hold_on_failure: 2s\nrun: exit 4")
    assert run.state is State.FAILED
    assert run.experiments[0].exit_code == 4
    assert "the time is over" in bench.log(run.number or 0)


def test_a_job_that_succeeds_is_not_held(bench: Bench) -> None:
    run = bench.run("hold_on_failure: 10m\nrun: echo fine")
    assert run.state is State.FINISHED


def test_a_timeout_does_not_cut_a_hold_short(bench: Bench) -> None:
    number = bench.train("timeout: 2s\nhold_on_failure: 10m\nrun: sleep 100").number
    bench.until(lambda: job(bench, number).held_until, "the job is held")
    held = job(bench, number)
    assert held.exit_code == 124
    Client(engine=bench.engine).release(str(number))
    bench.wait(number)
    last = job(bench, number)
    assert (last.reason, last.exit_code) == ("TIMEOUT", 124)
    assert last.message == "timed out after 2 s (`timeout`)"


def test_the_next_attempt_follows_the_hold(bench: Bench) -> None:
    number = bench.train(
        "retries: 1\nhold_on_failure: 10m\nrun: exit $(( RISEML_ATTEMPT + 5 ))"
    ).number
    client = Client(engine=bench.engine)
    for attempt in (0, 1):
        bench.until(partial(_is_held, bench, number, attempt), f"{attempt} is held")
        client.release(str(number))
    bench.wait(number)
    assert [item.exit_code for item in job(bench, number).attempts] == [5, 6]


def _is_held(bench: Bench, number: int, attempt: int) -> bool:
    last = job(bench, number)
    return last.attempt == attempt and last.held_until is not None
