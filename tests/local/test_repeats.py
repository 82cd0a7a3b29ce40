"""Experiments that run again: in a new run, or as further attempts of their set."""

import json
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from riseml.client.client import Client
from riseml.client.repeat_types import Grown
from riseml.engines import Query
from riseml.engines.local import protocol, shard_keys
from riseml.errors import InvalidInputError, NotFoundError
from riseml.ids import Id
from riseml.status import ExperimentStatus, SetStatus, State
from tests.local.conftest import Lab
from tests.local.mortal_controller import Step, set_trap

_CONTROLLER = "riseml.engines.local.controller"
# Each experiment notes that it ran, and fails unless a file allows it to finish.
_SET = """
parameters: {{n: [1, 2, 3, 4]}}
concurrency: 4
run: |
  echo "n={{{{n}}}} attempt $RISEML_ATTEMPT"
  echo {{{{n}}}} >> {folder}/ran
  test {{{{n}}}} -lt 3 || test -e {folder}/may-finish
  echo '{{"value": {{{{n}}}}}}' >> $RESULT_FILE
"""


@pytest.fixture
def client(lab: Lab) -> Client:
    return Client(engine=lab.engine)


def finish_next_time(folder: Path) -> None:
    (folder / "may-finish").touch()


def ran(folder: Path) -> list[str]:
    return sorted((folder / "ran").read_text().split())


def read(lab: Lab, number: int) -> SetStatus:
    return lab.engine.read(Id(number=number))


def states(run: SetStatus) -> list[State]:
    return [experiment.state for experiment in run.experiments]


def attempts(experiment: ExperimentStatus) -> list[tuple[int, State]]:
    (job,) = experiment.jobs
    return [(attempt.attempt, attempt.state) for attempt in job.attempts]


def failed_set(lab: Lab, folder: Path) -> int:
    """Run a set whose experiments 3 and 4 fail; return its number."""
    run = lab.run(_SET.format(folder=folder))
    assert states(run) == [State.FINISHED] * 2 + [State.FAILED] * 2
    return run.number or 0


def test_retry_repeats_what_failed_as_further_attempts(
    lab: Lab, client: Client, tmp_path: Path
) -> None:
    number = failed_set(lab, tmp_path)
    finish_next_time(tmp_path)
    grown = client.retry(str(number), failed=True)
    assert grown == Grown(
        str(number), "lab", is_set=True, experiments=(f"{number}.3", f"{number}.4")
    )
    lab.wait(number)
    run = read(lab, number)
    assert states(run) == [State.FINISHED] * 4
    assert run.state is State.FINISHED
    assert [experiment.result for experiment in run.experiments] == [
        {"value": n} for n in (1, 2, 3, 4)
    ]
    once, twice = run.experiments[0], run.experiments[2]
    assert attempts(once) == [(0, State.FINISHED)]
    assert attempts(twice) == [(0, State.FAILED), (1, State.FINISHED)]
    assert lab.log(Id(number=number, sub=3)) == "n=3 attempt 0\nn=3 attempt 1\n"
    assert ran(tmp_path) == ["1", "2", "3", "3", "4", "4"]
    # Lists have the same, without jobs.
    (listed,) = lab.engine.list(Query(all=True, experiments=True))
    assert (listed.state, listed.counts) == (run.state, run.counts)
    assert states(listed) == states(run)
    assert listed.experiments[2].result == {"value": 3}
    # Nothing is left to repeat.
    assert client.retry(str(number)).experiments == ()
    with pytest.raises(InvalidInputError, match="has finished, so its set does not"):
        client.retry(f"{number}.1")


def test_the_archive_of_a_repeated_set_has_all_attempts(
    lab: Lab, client: Client, tmp_path: Path
) -> None:
    number = failed_set(lab, tmp_path)
    finish_next_time(tmp_path)
    client.retry(str(number))
    lab.wait(number)
    record = json.loads((lab.output(number) / "run.json").read_bytes())
    assert record["state"] == "FINISHED"
    assert [shard["index"] for shard in record["shards"]] == [1, 2]
    (job,) = record["experiments"][2]["jobs"]
    assert [attempt["state"] for attempt in job["earlier"]] == ["FAILED"]


def test_a_lost_list_of_runs_knows_the_attempts_and_lets_them_continue(
    lab: Lab, client: Client, tmp_path: Path
) -> None:
    """What run.json says is enough for another retry, which gets the next attempt."""
    number = failed_set(lab, tmp_path)
    client.retry(str(number))
    lab.wait(number)
    protocol.stop_controller(lab.engine.home)
    for file in lab.engine.home.glob("riseml.db*"):
        file.unlink()
    assert lab.engine.repair()
    before = read(lab, number)
    assert attempts(before.experiments[2]) == [(0, State.FAILED), (1, State.FAILED)]
    finish_next_time(tmp_path)
    client.retry(f"{number}.3")
    lab.wait(number)
    run = read(lab, number)
    assert states(run) == [State.FINISHED] * 3 + [State.FAILED]
    assert attempts(run.experiments[2])[2] == (2, State.FINISHED)
    assert [shard.index for shard in run.shards] == [1, 2, 3]
    assert lab.log(Id(number=number, sub=3)).splitlines() == [
        f"n=3 attempt {attempt}" for attempt in range(3)
    ]


def test_retry_while_the_set_runs(lab: Lab, client: Client, tmp_path: Path) -> None:
    number = lab.train(
        f"""
        parameters: {{n: [1, 2]}}
        concurrency: 2
        run: |
          echo {{{{n}}}} >> {tmp_path}/ran
          if [ {{{{n}}}} = 1 ]; then test -e {tmp_path}/may-finish; exit; fi
          until test -e {tmp_path}/go; do sleep 0.05; done
        """
    ).number
    first = Id(number=number, sub=1)
    lab.until(lambda: lab.engine.read(first).experiments[0].state is State.FAILED)
    finish_next_time(tmp_path)
    assert client.retry(str(number)).experiments == (f"{number}.1",)
    lab.until(lambda: read(lab, number).experiments[0].state is State.FINISHED)
    run = read(lab, number)
    assert (run.state, states(run)) == (
        State.RUNNING,
        [State.FINISHED, State.RUNNING],
    )
    with pytest.raises(InvalidInputError, match="has not ended"):
        client.retry(f"{number}.2")
    (tmp_path / "go").touch()
    lab.wait(number)
    assert states(read(lab, number)) == [State.FINISHED] * 2
    assert ran(tmp_path) == ["1", "1", "2"]


def test_retries_at_the_same_time_start_each_experiment_once(
    lab: Lab, client: Client, tmp_path: Path
) -> None:
    number = failed_set(lab, tmp_path)
    finish_next_time(tmp_path)

    def retry(_: int) -> Grown:
        return client.retry(str(number))

    with ThreadPoolExecutor(4) as pool:
        grown = list(pool.map(retry, range(4)))
    started = sorted(sum((one.experiments for one in grown), ()))
    assert started == [f"{number}.3", f"{number}.4"]
    lab.wait(number)
    assert ran(tmp_path) == ["1", "2", "3", "3", "4", "4"]


@pytest.mark.parametrize(
    "path",
    [
        f"{_CONTROLLER}.submit:Submitter._record",
        f"{_CONTROLLER}.run_record:RunRecord.write",
        f"{_CONTROLLER}.active_run:ActiveRun.after_commit",
        f"{_CONTROLLER}.run_pods:RunPods.start",
        f"{_CONTROLLER}.run_pods:RunPods._end",
    ],
)
def test_a_controller_killed_during_a_retry_loses_nothing_and_runs_nothing_twice(
    lab: Lab,
    client: Client,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
) -> None:
    trap = set_trap(monkeypatch, tmp_path, Step(path))
    number = failed_set(lab, tmp_path)
    finish_next_time(tmp_path)
    trap.arm()
    assert len(client.retry(str(number)).experiments) == 2
    lab.wait(number)
    assert trap.has_snapped
    run = read(lab, number)
    assert states(run) == [State.FINISHED] * 4
    assert attempts(run.experiments[3]) == [(0, State.FAILED), (1, State.FINISHED)]
    assert ran(tmp_path) == ["1", "2", "3", "3", "4", "4"]
    assert client.retry(str(number)).experiments == ()


def test_a_killed_controller_continues_a_retry(
    lab: Lab, client: Client, tmp_path: Path
) -> None:
    """The jobs of a further Workflow go on, and are not started again."""
    number = (
        lab.run(
            f"""
        parameters: {{n: [1, 2]}}
        run: |
          echo {{{{n}}}} >> {tmp_path}/ran
          [ $RISEML_ATTEMPT = 1 ] || exit 1
          touch {tmp_path}/on-{{{{n}}}}
          until test -e {tmp_path}/go; do sleep 0.05; done
        """
        ).number
        or 0
    )
    client.retry(str(number))
    lab.until((tmp_path / "on-1").exists)
    pid = int((lab.engine.home / "controller.lock").read_text().split()[0])
    os.kill(pid, signal.SIGKILL)
    (tmp_path / "go").touch()
    lab.wait(number)
    assert states(read(lab, number)) == [State.FINISHED] * 2
    assert ran(tmp_path) == ["1", "1", "2", "2"]


def test_killed_experiments_are_missing_and_what_never_started_has_no_attempt(
    lab: Lab, client: Client, tmp_path: Path
) -> None:
    number = lab.train(
        f"""
        parameters: {{n: [1, 2, 3]}}
        concurrency: 1
        run: |
          test {{{{n}}}} != 1 || exit 1
          touch {tmp_path}/on-{{{{n}}}}
          until test -e {tmp_path}/go; do sleep 0.05; done
        """
    ).number
    lab.until((tmp_path / "on-2").exists)
    lab.engine.stop(Id(number=number))
    lab.wait(number)
    assert states(read(lab, number)) == [State.FAILED, State.KILLED, State.KILLED]
    (tmp_path / "go").touch()
    assert client.retry(str(number), missing=True).experiments == (
        f"{number}.2",
        f"{number}.3",
    )
    lab.wait(number)
    failed, killed, never_started = read(lab, number).experiments
    assert failed.state is State.FAILED
    assert attempts(killed) == [(0, State.KILLED), (1, State.FINISHED)]
    assert attempts(never_started) == [(0, State.FINISHED)]


def test_kills_reach_the_workflow_that_runs_an_experiment(
    lab: Lab, client: Client, tmp_path: Path
) -> None:
    number = (
        lab.run(
            f"""
        parameters: {{n: [1, 2, 3]}}
        concurrency: 3
        run: |
          [ $RISEML_ATTEMPT = 1 ] || exit 1
          touch {tmp_path}/on-{{{{n}}}}
          sleep 600
        """
        ).number
        or 0
    )
    client.retry(str(number))
    lab.until(lambda: all((tmp_path / f"on-{n}").exists() for n in (1, 2, 3)))
    assert lab.engine.stop(Id(number=number, sub=2))
    lab.until(lambda: read(lab, number).experiments[1].state is State.KILLED)
    assert states(read(lab, number))[0] is State.RUNNING
    with pytest.raises(Exception, match="has not ended"):
        lab.engine.delete(Id(number=number))
    assert lab.engine.stop(Id(number=number))
    lab.wait(number)
    run = read(lab, number)
    assert states(run) == [State.KILLED] * 3
    assert not lab.engine.stop(Id(number=number))
    lab.engine.delete(Id(number=number))
    with pytest.raises(NotFoundError):
        read(lab, number)
    store = lab.engine.reader.store()
    assert store.shards(number) == []
    assert store.nodes(shard_keys.key_of(number, 2)) == []


def test_rerun_has_the_code_and_the_configuration_of_the_earlier_run(
    lab: Lab, client: Client, tmp_path: Path
) -> None:
    lab.write({"value.txt": "old"})
    first = lab.run("parameters: {n: [7, 8]}\nrun: 'echo {{n}} $(cat value.txt)'")
    lab.write({"value.txt": "new"})
    repetition = client.rerun(first.id)
    number = int(repetition.id)
    assert number == (first.number or 0) + 1
    assert (repetition.experiments, repetition.revision) == (2, first.revision)
    lab.wait(number)
    run = read(lab, number)
    assert [experiment.parameters for experiment in run.experiments] == [
        {"n": "7"},
        {"n": "8"},
    ]
    assert (run.config, run.revision) == (first.config, first.revision)
    assert sorted(lab.log(number).splitlines()) == ["7 old", "8 old"]
    one = client.rerun(f"{first.id}.2")
    lab.wait(int(one.id))
    (experiment,) = read(lab, int(one.id)).experiments
    assert experiment.parameters == {"n": "8"}


def test_a_single_experiment_is_repeated_under_its_own_number(
    lab: Lab, client: Client, tmp_path: Path
) -> None:
    number = lab.run(f"run: 'test -e {tmp_path}/may-finish'").number or 0
    finish_next_time(tmp_path)
    assert client.retry(str(number)).experiments == (str(number),)
    lab.wait(number)
    run = read(lab, number)
    assert run.state is State.FINISHED
    assert attempts(run.experiments[0]) == [(0, State.FAILED), (1, State.FINISHED)]


def test_a_retry_and_automatic_retries_count_attempts_together(
    lab: Lab, client: Client, tmp_path: Path
) -> None:
    number = lab.run("retries: 1\nrun: 'echo $RISEML_ATTEMPT; exit 1'").number or 0
    client.retry(str(number))
    lab.wait(number)
    (experiment,) = read(lab, number).experiments
    assert attempts(experiment) == [(n, State.FAILED) for n in range(4)]
    assert experiment.jobs[0].max_attempts == 4
    lines = lab.log(number).splitlines()
    assert [line for line in lines if line.isdecimal()] == ["0", "1", "2", "3"]


def test_metrics_are_those_of_the_last_attempt(
    lab: Lab, client: Client, tmp_path: Path
) -> None:
    """Lists read metrics as well, and keep what they have read."""
    number = (
        lab.run(
            f"""
        parameters: {{n: [1, 2]}}
        results: {{loss: min}}
        run: |
          echo "epoch 1: loss 0.{{{{n}}}}$RISEML_ATTEMPT"
          test {{{{n}}}} = 1 || test -e {tmp_path}/may-finish
        """
        ).number
        or 0
    )

    def losses() -> list[object]:
        client.wait(str(number))
        (listed,) = client.runs(all=True, experiments=True)
        complete = read(lab, number)
        values = [(one.result or {}).get("loss") for one in complete.experiments]
        assert values == [(one.result or {}).get("loss") for one in listed.experiments]
        return values

    assert losses() == [0.1, 0.2]
    finish_next_time(tmp_path)
    client.retry(str(number))
    assert losses() == [0.1, 0.21]
