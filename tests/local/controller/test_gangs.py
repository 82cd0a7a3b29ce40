"""Experiments of several jobs on one machine, with real processes that connect to each other."""

import json
import os
import re
import signal
import socket
from collections import Counter
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from riseml.engines.local import protocol
from riseml.errors import RiseMLError
from riseml.ids import Id
from riseml.status import ExperimentStatus, SetStatus, State
from tests.local.conftest import Lab, processes_of

CONNECT = """
import json, os, socket, sys, time
config = json.loads(os.environ["TF_CONFIG"])
task = config["task"]
if os.environ.get("SLOW") == os.environ["RISEML_JOB"]:
    time.sleep(1)
host, port = config["cluster"][task["type"]][task["index"]].split(":")
server = socket.create_server((host, int(port)))
for address in sum(config["cluster"].values(), []):
    host, port = address.split(":")
    while True:
        try:
            socket.create_connection((host, int(port))).close()
            break
        except OSError:
            time.sleep(0.02)
print("all reached", task["type"], task["index"], flush=True)
reached = os.path.join(os.environ["RISEML_MEETING"], "reached")
os.makedirs(reached, exist_ok=True)
open(os.path.join(reached, os.environ["RISEML_JOB"]), "w").close()
while len(os.listdir(reached)) < len(sum(config["cluster"].values(), [])):  # others may not have reached this one yet
    time.sleep(0.02)
if task["type"] == "ps":
    time.sleep(1000)
"""
FRAMEWORK = """
framework: tensorflow
tensorflow: {tensorboard: false, distributed: {worker: 3, ps: 1}}
"""
ALL = ("1.master", "1.worker.1", "1.worker.2", "1.ps")


def by_id(run: SetStatus) -> dict[str, str]:
    """Return state and reason of each job of the first experiment."""
    return {job.id: f"{job.state} {job.reason}" for job in run.experiments[0].jobs}


def meeting(then: str = "true") -> str:
    return f"{FRAMEWORK}\nrun: [python3 connect.py, '{then}']"


@pytest.fixture
def gang(lab: Lab) -> Lab:
    lab.write({"connect.py": CONNECT})
    return lab


def program(lab: Lab, job: str) -> psutil.Process:
    """Return the program of a job of run 1, once all jobs have reached each other."""
    lab.until(lambda: lab.log(1).count("all reached") == len(ALL), "the meeting")

    # A server stays in connect.py. In the others, connect.py may be about to end.
    last_argument = "connect.py" if job == "ps" else "1000"
    processes: list[psutil.Process] = []

    def started() -> list[psutil.Process]:
        for process in processes_of(lab.engine.home):
            # A process may end while it is examined.
            with suppress(psutil.Error):
                # The command is empty while a process executes its program.
                is_program = process.cmdline()[-1:] == [last_argument]
                if is_program and process.environ().get("RISEML_JOB") == job:
                    processes.append(process)
        return processes

    lab.until(started, f"the program of {job}")
    return processes[0]


def test_all_jobs_reach_each_other_and_servers_end_with_the_workers(gang: Lab) -> None:
    run = gang.run(meeting())
    assert run.state is State.FINISHED
    assert by_id(run) == dict.fromkeys(ALL, "FINISHED COMPLETED") | {
        "1.ps": "FINISHED STOPPED"
    }
    assert Counter(re.findall("all reached (.*)", gang.log(1))) == Counter(
        ["chief 0", "worker 0", "worker 1", "ps 0"]
    )
    # A run ends with its last worker; the processes of its servers follow.
    gang.until(
        lambda: not list((gang.engine.home / "runs").glob("*/addresses*")),
        "the ports to be given back",
    )


def test_a_gang_beside_another_has_its_own_addresses(gang: Lab) -> None:
    text = f"{FRAMEWORK}\nparameters: {{n: [1, 2]}}\nconcurrency: 2\nrun: ['echo \"$TF_CONFIG\"', python3 connect.py]"
    run = gang.run(text, RISEML_CPUS="4")
    assert [experiment.state for experiment in run.experiments] == [State.FINISHED] * 2
    configs = [
        json.loads(line) for line in gang.log(1).splitlines() if line.startswith("{")
    ]
    words = {
        word
        for config in configs
        for words in config["cluster"].values()
        for word in words
    }
    assert len(words) == 2 * len(ALL)
    assert all(word.startswith("127.0.0.1:") for word in words)


@pytest.mark.parametrize(("job", "code"), [("master", 3), ("worker.2", 4), ("ps", 5)])
def test_a_failing_job_stops_its_gang_and_is_named(
    gang: Lab, job: str, code: int
) -> None:
    gang.write({"connect.py": CONNECT.replace("time.sleep(1000)", "pass")})
    cases = f'case "$RISEML_JOB" in {job}) exit {code};; *) sleep 1000;; esac'
    run = gang.run(f"{FRAMEWORK}\nrun: [python3 connect.py, 'sleep 0.5; {cases}']")
    (experiment,) = run.experiments
    assert (experiment.state, experiment.guilty, experiment.exit_code) == (
        State.FAILED,
        f"1.{job}",
        code,
    )
    assert by_id(run) == dict.fromkeys(ALL, "KILLED PEER") | {
        f"1.{job}": "FAILED ERROR"
    }


@pytest.mark.parametrize("job", ["master", "worker.1", "ps"])
def test_a_killed_program_fails_the_gang(gang: Lab, job: str) -> None:
    gang.train(meeting("exec sleep 1000"))
    program(gang, job).kill()
    gang.wait(1)
    (experiment,) = gang.engine.read(Id(number=1)).experiments
    assert (experiment.state, experiment.guilty, experiment.exit_code) == (
        State.FAILED,
        f"1.{job}",
        137,
    )


def test_a_killed_supervisor_fails_the_gang(gang: Lab) -> None:
    gang.train(meeting("exec sleep 1000"))
    supervisor = program(gang, "worker.2")
    while (
        supervisor.parent()
        and (supervisor.parent() or supervisor).environ().get("RISEML_JOB")
        == "worker.2"
    ):
        supervisor = supervisor.parent() or supervisor
    (supervisor.parent() or supervisor).send_signal(signal.SIGKILL)
    gang.wait(1)
    (experiment,) = gang.engine.read(Id(number=1)).experiments
    assert (experiment.state, experiment.guilty) == (State.FAILED, "1.worker.2")
    assert by_id(gang.engine.read(Id(number=1)))["1.master"] == "KILLED PEER"


def test_concurrency_counts_experiments(gang: Lab, tmp_path: Path) -> None:
    line = f"mkdir {tmp_path}/on-{{{{n}}}}; ls -d {tmp_path}/on-* | wc -l >> {tmp_path}/seen; sleep 0.2"
    gang.run(
        f"""
        framework: tensorflow
        tensorflow: {{tensorboard: false, distributed: {{worker: 2, ps: 1}}}}
        parameters: {{n: [1, 2, 3]}}
        run:
          - python3 connect.py
          - '[ $RISEML_JOB != master ] || {{ {line}; rmdir {tmp_path}/on-{{{{n}}}}; }}'
        """
    )
    assert (tmp_path / "seen").read_text().split() == ["1"] * 3


def test_a_gang_is_retried_as_a_unit(gang: Lab) -> None:
    cases = 'case "$RISEML_JOB $RISEML_ATTEMPT" in "worker.1 0") exit 4;; *0) sleep 1000;; esac'
    gang.write({"retry.sh": cases})
    run = gang.run(f"{FRAMEWORK}\nretries: 1\nrun: [python3 connect.py, . ./retry.sh]")
    (experiment,) = run.experiments
    assert experiment.state is State.FINISHED
    assert {job.id: job.attempt for job in experiment.jobs} == dict.fromkeys(ALL, 1)
    assert gang.log(1).count("all reached") == 2 * len(ALL)


def test_a_gang_starts_together_or_not_at_all(gang: Lab) -> None:
    gang.train("resources: {cpus: 2.5, mem: 1}\nrun: sleep 1000")
    gang.train(
        f"{FRAMEWORK}\nresources: {{cpus: 0.5, mem: 1}}\nrun: python3 connect.py"
    )
    second = Id(number=2)
    gang.until(
        lambda: gang.engine.read(second).experiments[0].reason == "UNSCHEDULABLE",
        "the wait",
    )
    (experiment,) = gang.engine.read(second).experiments
    assert {job.state for job in experiment.jobs} == {State.PENDING}
    assert experiment.message == "waiting: 2 cpus needed, 1.5 free"
    gang.engine.stop(Id(number=1))
    assert gang.wait(2).state is State.FINISHED


def test_a_gang_that_never_fits_is_refused(gang: Lab) -> None:
    with pytest.raises(
        RiseMLError,
        match="an experiment of 4 jobs can never start here: cpus: 8 requested, this machine has 4",
    ):
        gang.train(f"{FRAMEWORK}\nresources: {{cpus: 2, mem: 1}}\nrun: x")


def test_killing_a_run_kills_all_jobs_of_its_gang(gang: Lab) -> None:
    gang.train(meeting("exec sleep 1000"))
    program(gang, "master")
    assert gang.engine.stop(Id(number=1))
    gang.wait(1)
    states = by_id(gang.engine.read(Id(number=1)))
    assert {state.split()[0] for state in states.values()} == {"KILLED"}


def test_killing_one_experiment_of_a_grid_kills_only_its_gang(gang: Lab) -> None:
    gang.train(
        f"{FRAMEWORK}\nparameters: {{n: [1, 2]}}\nconcurrency: 2\n"
        "run: [python3 connect.py, 'case {{n}} in 1) exec sleep 1000;; esac']"
    )
    gang.wait(Id(number=1, sub=2))
    gang.until(
        lambda: gang.log(Id(number=1, sub=1)).count("all reached") == len(ALL),
        "the meeting",
    )
    assert gang.engine.stop(Id(number=1, sub=1))
    gang.wait(1)
    first, second = gang.engine.read(Id(number=1)).experiments
    assert (first.state, second.state) == (State.KILLED, State.FINISHED)
    assert {job.state for job in first.jobs} == {State.KILLED}


def test_a_gang_outlives_its_controller(gang: Lab) -> None:
    gang.train(
        meeting(
            'touch "$OUTPUT_DIR/$RISEML_JOB"; while [ ! -e "$OUTPUT_DIR/go" ]; do sleep 0.05; done'
        )
    )
    output = gang.output(1)
    gang.until(lambda: len(list(output.glob("[mw]*er*"))) == 3, "the jobs")
    protocol.stop_controller(gang.engine.home)
    (output / "go").touch()
    run = gang.wait(1)
    assert run.state is State.FINISHED
    assert by_id(gang.engine.read(Id(number=1)))["1.ps"] == "FINISHED STOPPED"


def _addresses(lab: Lab) -> dict[str, str]:
    files = (lab.engine.home / "runs" / "1").glob("addresses.1.0.json")
    addresses: dict[str, str] = next(
        (json.loads(file.read_text() or "{}") for file in files), {}
    )
    return addresses


def _occupy(lab: Lab, address: str, earlier: str = "") -> socket.socket:
    """Listen at the port chosen for an address, once that differs from an earlier one."""
    lab.until(lambda: _addresses(lab).get(address, earlier) != earlier, "addresses")
    return socket.create_server(
        ("127.0.0.1", int(_addresses(lab)[address].rpartition(":")[2]))
    )


ADDRESS = "lab-1-1-worker-2.riseml:2222"


def test_a_gang_that_loses_a_port_restarts_with_others(gang: Lab) -> None:
    gang.train(meeting(), SLOW="worker.2")
    with _occupy(gang, ADDRESS):
        run = gang.wait(1)
    assert run.state is State.FINISHED
    assert gang.log(1).count("Address already in use") == 1
    assert gang.log(1).count("all reached worker 1") == 1


def test_a_gang_that_loses_a_port_twice_fails(gang: Lab) -> None:
    gang.train(meeting(), SLOW="worker.2")
    with _occupy(gang, ADDRESS) as first:
        port = first.getsockname()[1]
        with _occupy(gang, ADDRESS, f"127.0.0.1:{port}"):
            gang.wait(1)
    (experiment,) = gang.engine.read(Id(number=1)).experiments
    assert (experiment.state, experiment.guilty, experiment.exit_code) == (
        State.FAILED,
        "1.worker.2",
        1,
    )
    assert (
        experiment.message
        == f"another program uses the port chosen for {ADDRESS}, for the second time"
    )


RANKS = """
import os
names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "GROUP_RANK", "MASTER_ADDR")
print("rank", *(os.environ[name] for name in names), flush=True)
"""


def test_pytorch_processes_get_their_ranks(lab: Lab) -> None:
    lab.write({"ranks.py": RANKS})
    run = lab.run(
        """
        framework: pytorch
        pytorch: {workers: {count: 2, processes: 2}}
        run: [mkdir -p $RANK, cd $RANK, python3 ../ranks.py, 'echo $MASTER_PORT $MASTER_ADDR']
        """
    )
    assert run.state is State.FINISHED
    assert sorted(re.findall("rank (.*)", lab.log(1))) == [
        "0 4 0 2 0 127.0.0.1",
        "1 4 1 2 0 127.0.0.1",
        "2 4 0 2 1 127.0.0.1",
        "3 4 1 2 1 127.0.0.1",
    ]
    assert (
        len(
            set(re.findall(r"\d+ 127.0.0.1$", lab.log(1), re.MULTILINE))
            & set(lab.log(1).splitlines())
        )
        == 1
    )


def test_the_first_process_that_fails_stops_the_job(lab: Lab) -> None:
    run = lab.run(
        """
        framework: pytorch
        pytorch: {workers: {count: 1, processes: 3}}
        run: '[ $LOCAL_RANK = 1 ] && exit 6; sleep 1000'
        """
    )
    experiment = run.experiments[0]
    assert isinstance(experiment, ExperimentStatus)
    assert (experiment.state, experiment.exit_code) == (State.FAILED, 6)
    assert "process 1 of train failed with exit status 6" in lab.log(1)


def test_jax_processes_get_their_coordinator(lab: Lab) -> None:
    run = lab.run(
        """
        framework: jax
        jax: {workers: 2}
        run: echo at $JAX_COORDINATOR_ADDRESS, $JAX_PROCESS_ID of $JAX_NUM_PROCESSES
        """
    )
    assert [job.id for job in run.experiments[0].jobs] == ["1.worker.1", "1.worker.2"]
    processes = sorted(
        re.findall(r"at 127.0.0.1:(\d+), (.*)", lab.log(1)),
        key=lambda process: process[1],
    )
    assert [ranks for _, ranks in processes] == ["0 of 2", "1 of 2"]
    assert len({port for port, _ in processes}) == 1
    assert os.environ.get("JAX_COORDINATOR_ADDRESS") is None
