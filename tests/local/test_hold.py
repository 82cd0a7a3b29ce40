"""Jobs that are held after a failure, with real processes: signals, crashes, gangs and grids."""

import time
from pathlib import Path

from riseml.client.client import Client
from riseml.engines import Query
from riseml.ids import Id
from riseml.status import ExperimentStatus, State
from tests.local.conftest import Lab, commands_of, processes_of
from tests.local.test_survival import kill_controller


def experiment(lab: Lab, number: int, sub: int = 1) -> ExperimentStatus:
    return lab.engine.read(Id(number=number)).experiments[sub - 1]


def until_held(lab: Lab, number: int, sub: int = 1) -> None:
    lab.until(lambda: experiment(lab, number, sub).held_until, f"{sub} is held")


def release(lab: Lab, *names: str) -> list[str]:
    return Client(engine=lab.engine).release(*names)


def test_a_hold_survives_its_controller(lab: Lab) -> None:
    number = lab.train("hold_on_failure: 1h\nrun: exit 7").number
    until_held(lab, number)
    before = experiment(lab, number).held_until
    kill_controller(lab.engine.home)
    assert experiment(lab, number).held_until == before
    kill_controller(lab.engine.home)
    assert release(lab, f"{number}.train") == [f"{number}.train"]
    ended = lab.wait(number)
    assert (ended.state, experiment(lab, number).exit_code) == (State.FAILED, 7)


def test_the_working_directory_and_the_network_of_a_held_job_are_still_there(
    lab: Lab,
) -> None:
    number = lab.train("hold_on_failure: 1h\nrun: echo 5 > made; exit 1").number
    until_held(lab, number)
    line = next(line for line in commands_of(lab.engine.home) if "riseml_hold" in line)
    assert "RISEML_HOLD" in line
    release(lab)
    lab.wait(number)
    assert (lab.output(number) / "workdir/made").read_text() == "5\n"


def test_a_held_experiment_keeps_its_slot(lab: Lab) -> None:
    number = lab.train(
        "parameters: {n: [1, 2]}\nhold_on_failure: 1h\nrun: exit $(( N == 1 ))"
    ).number
    until_held(lab, number)
    assert experiment(lab, number, 2).state in (State.CREATED, State.PENDING)
    release(lab, f"{number}.1")
    lab.wait(number)
    run = lab.engine.read(Id(number=number))
    assert [item.state for item in run.experiments] == [State.FAILED, State.FINISHED]


def test_peers_run_until_the_job_that_failed_first_is_released(
    lab: Lab, tmp_path: Path
) -> None:
    number = lab.train(
        f"""
        framework: jax
        jax: {{workers: 2}}
        hold_on_failure: 1h
        run: |
          case $RISEML_JOB in
            *1) while [ ! -e {tmp_path}/fail ]; do sleep 0.1; done; exit 3 ;;
            *) touch {tmp_path}/fail; sleep 600 ;;
          esac
        """
    ).number
    until_held(lab, number)
    first, second = experiment(lab, number).jobs
    assert (first.reason, first.exit_code) == ("HELD", 3)
    assert (second.state, second.held_until) == (State.RUNNING, None)
    assert release(lab, str(number)) == [first.id]
    lab.wait(number)
    ended = experiment(lab, number)
    assert ended.guilty == first.id
    assert [job.state for job in ended.jobs] == [State.FAILED, State.KILLED]
    assert ended.jobs[1].reason == "PEER"


def test_a_waiting_job_costs_almost_no_cpu(lab: Lab) -> None:
    """The shell of a held job runs two short programs every two seconds."""
    number = lab.train("hold_on_failure: 1h\nrun: exit 1").number
    until_held(lab, number)
    begun, used = time.monotonic(), _cpu_seconds(lab)
    time.sleep(4)
    share = (_cpu_seconds(lab) - used) / (time.monotonic() - begun)
    assert share < 0.05
    release(lab)
    lab.wait(number)


def _cpu_seconds(lab: Lab) -> float:
    total = 0.0
    for process in processes_of(lab.engine.home):
        if "riseml_hold" in " ".join(process.cmdline()):
            times = process.cpu_times()
            total += times.user + times.system
            total += times.children_user + times.children_system
    return total


def test_wait_says_once_that_an_experiment_is_held(lab: Lab) -> None:
    number = lab.train("retries: 1\nhold_on_failure: 1h\nrun: exit 3").number
    client = Client(engine=lab.engine)
    held: list[tuple[str, int]] = []

    def on_hold(experiment: ExperimentStatus) -> None:
        held.append((experiment.message, experiment.attempt))
        client.release(experiment.id)

    (ended,) = client.wait(str(number), on_hold=on_hold)
    assert ended.state is State.FAILED
    assert held == [("failed with exit code 3", 0), ("failed with exit code 3", 1)]


def test_a_view_of_a_set_shows_what_is_held(lab: Lab) -> None:
    number = lab.train(
        "parameters: {n: [1, 2]}\nconcurrency: 2\nhold_on_failure: 1h\nrun: exit $(( N == 1 ))"
    ).number
    view = lab.engine.view(Id(number=number))
    lab.until(lambda: view.read().experiments[0].held_until, "it is held")
    first, second = view.read().experiments
    assert (first.reason, first.exit_code) == ("HELD", 1)
    assert second.held_until is None
    release(lab)
    lab.until(lambda: view.read().state is State.FAILED, "the end")
    assert [item.held_until for item in view.read().experiments] == [None, None]
    view.close()


def test_a_list_of_runs_marks_those_with_held_jobs(lab: Lab) -> None:
    single = lab.train("hold_on_failure: 1h\nrun: exit 3").number
    grid = lab.train(
        "parameters: {n: [1, 2]}\nconcurrency: 2\nhold_on_failure: 1h\nrun: exit 3"
    ).number
    until_held(lab, single)
    until_held(lab, grid, 1)
    until_held(lab, grid, 2)
    listed = {run.number: run for run in lab.engine.list(Query())}
    for number in (single, grid):
        assert (listed[number].state, listed[number].reason) == (State.RUNNING, "HELD")
    assert listed[single].message == "it has failed, and is held"
    message = "2 of its experiments have failed, and are held"
    assert listed[grid].message == message
    release(lab, str(single), str(grid))
    lab.wait(single)
    lab.wait(grid)
    assert {run.reason for run in lab.engine.list(Query(all=True))} == {""}
