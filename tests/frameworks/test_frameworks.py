"""Real frameworks on the local engine: `make test-frameworks`."""

import os
import re
import shutil
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pytest

from riseml.ids import Id
from riseml.status import ExperimentStatus, State
from tests.frameworks.environments import prepare
from tests.local.conftest import Lab, processes_of

pytestmark = [pytest.mark.frameworks, pytest.mark.timeout(150)]
PROGRAMS = Path(__file__).parent / "programs"
EXAMPLES = Path(__file__).parents[2] / "examples"
DEBIAN_MPIRUN, DEBIAN_MPI = (
    "/usr/bin/mpirun.openmpi",
    "/usr/lib/x86_64-linux-gnu/libmpi.so.40",
)


class Case(NamedTuple):
    """A program with its part of riseml.yml, its jobs, and the result it must report."""

    environment: str
    train: str
    programs: tuple[str, ...]
    jobs: Mapping[str, str]
    result: Mapping[str, Any]


DONE, STOPPED = "FINISHED COMPLETED", "FINISHED STOPPED"
CASES = {
    "TensorFlow mirrors weights over 2 workers": Case(
        "tensorflow",
        "framework: tensorflow, tensorflow: {tensorboard: false, distributed: {worker: 2}}",
        ("mirrored",),
        {"master": DONE, "worker": DONE},
        {"sum": 3.0, "workers": 2},
    ),
    "TensorFlow keeps weights on a parameter server": Case(
        "tensorflow",
        "framework: tensorflow, tensorflow: {tensorboard: false, distributed: {worker: 2, ps: 1}}",
        ("parameter_server",),
        {"master": DONE, "worker": DONE, "ps": STOPPED},
        {"steps": 100, "workers": 1, "servers": 1},
    ),
    "JAX sums over 2 processes": Case(
        "jax",
        "framework: jax, jax: {workers: 2}",
        ("jax_sum",),
        {"worker.1": DONE, "worker.2": DONE},
        {"sum": 3.0, "processes": 2},
    ),
    "Keras on JAX finds 2 processes of one worker": Case(
        "jax",
        "framework: jax, jax: {workers: {count: 1, processes: 2}}",
        ("keras_jax",),
        {"train": DONE},
        {"processes": 2},
    ),
    "PyTorch sums over 2 jobs": Case(
        "torch",
        "framework: pytorch, pytorch: {workers: 2}",
        ("torch_sum",),
        {"master": DONE, "worker": DONE},
        {"sum": 3.0, "processes": 2},
    ),
    "PyTorch sums over 2 processes of 2 jobs": Case(
        "torch",
        "framework: pytorch, pytorch: {workers: {count: 2, processes: 2}}",
        ("torch_sum",),
        {"master": DONE, "worker": DONE},
        {"sum": 10.0, "processes": 4},
    ),
    "MPICH sums over 2 processes of 2 workers": Case(
        "mpich",
        "framework: mpi, mpi: {workers: {count: 2, processes: 2}}",
        ("mpi_sum",),
        {"worker.1": DONE, "worker.2": DONE},
        {"sum": 10, "processes": 4},
    ),
    "MPI sums over 2 processes of 2 workers, and a line is a barrier": Case(
        "mpi",
        "framework: mpi, mpi: {workers: {count: 2, processes: 2}}",
        ("mpi_sum", "mpi_barrier"),
        {"worker.1": DONE, "worker.2": DONE},
        {"sum": 10, "processes": 4, "ended": 4},
    ),
}


def path_of(environment: str) -> str:
    """Return a PATH that begins with the environment."""
    return f"{prepare(environment) / 'bin'}{os.pathsep}{os.environ['PATH']}"


def copied(lab: Lab, *files: Path) -> None:
    for file in files:
        shutil.copy(file, lab.folder)


def jobs_of(experiment: ExperimentStatus) -> dict[str, str]:
    return {
        job.id.partition(".")[2]: f"{job.state} {job.reason}" for job in experiment.jobs
    }


@pytest.mark.parametrize("name", CASES)
def test_a_framework_for_real(name: str, lab: Lab) -> None:
    case = CASES[name]
    copied(lab, *(PROGRAMS / f"{program}.py" for program in case.programs))
    lines = ", ".join(f"python {program}.py" for program in case.programs)
    text = "\n".join(case.train.replace(", ", "\n", 1).splitlines())
    run = lab.run(f"{text}\nrun: [{lines}]", PATH=path_of(case.environment))
    (experiment,) = run.experiments
    assert experiment.state is State.FINISHED, lab.log(1)
    assert jobs_of(experiment) == case.jobs
    assert {
        key: value
        for key, value in (experiment.result or {}).items()
        if key in case.result
    } == case.result


def debians_open_mpi(folder: Path) -> dict[str, str]:
    """Return the variables that make `mpirun` Debian's Open MPI 4."""
    assert Path(DEBIAN_MPIRUN).exists(), (
        "Debian's Open MPI is needed: apt-get install openmpi-bin"
    )
    (folder / "bin").mkdir()
    (folder / "bin" / "mpirun").write_text(f'#!/bin/sh\nexec {DEBIAN_MPIRUN} "$@"\n')
    (folder / "bin" / "mpirun").chmod(0o755)
    return {
        "PATH": f"{folder / 'bin'}:{path_of('mpi')}",
        "MPI4PY_LIBMPI": DEBIAN_MPI,
    }


def test_debians_open_mpi_numbers_the_ranks(lab: Lab, tmp_path: Path) -> None:
    copied(lab, PROGRAMS / "mpi_sum.py", PROGRAMS / "mpi_barrier.py")
    text = "framework: mpi\nmpi: {workers: {count: 2, processes: 2}}\nrun: [python mpi_sum.py, python mpi_barrier.py]"
    run = lab.run(text, **debians_open_mpi(tmp_path))
    (experiment,) = run.experiments
    assert experiment.state is State.FINISHED, lab.log(1)
    result = dict(experiment.result or {})
    assert (result["sum"], result["ended"]) == (10, 4)
    assert "Open MPI v4" in result["library"]
    # Every rank writes to the log of its own worker.
    for worker, ranks in (
        ("worker.1", {0, 1}),
        ("worker.2", {2, 3}),
    ):
        text = lab.log(Id(number=1, type="worker", index=int(worker[-1])))
        assert {
            int(rank) for rank in re.findall(r"process (\d) of 4: sum", text)
        } == ranks


def test_the_log_names_the_rank_that_fails(lab: Lab) -> None:
    text = """
    framework: mpi
    mpi: {workers: {count: 2, processes: 2}}
    run: ['[ $OMPI_COMM_WORLD_RANK != 3 ] || exit 5; sleep 1000', touch $OUTPUT_DIR/never]
    """
    (experiment,) = lab.run(text, PATH=path_of("mpi")).experiments
    assert (experiment.state, experiment.guilty, experiment.exit_code) == (
        State.FAILED,
        "1.worker.2",
        5,
    )
    assert jobs_of(experiment)["worker.1"] == "KILLED PEER"
    assert "process 3 of worker.2 failed with exit status 5" in lab.log(1)
    assert not (lab.output(1) / "never").exists()


RANKS_THAT_SAVE = """
framework: mpi
mpi: {{workers: {{count: 2, processes: 2}}}}
run: {line}
"""


@pytest.fixture(params=["Open MPI 4", "Open MPI 5", "MPICH"])
def mpi(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """Return the variables that choose an implementation of MPI."""
    if request.param == "Open MPI 4":
        return debians_open_mpi(tmp_path)
    return {"PATH": path_of("mpich" if request.param == "MPICH" else "mpi")}


def saved(lab: Lab) -> set[str]:
    """Return the ranks whose files are complete."""
    files = lab.output(1).glob("saved-*")
    return {file.name[-1] for file in files if file.read_text() == "complete"}


def until_ready(lab: Lab) -> None:
    lab.until(lambda: len(list(lab.output(1).glob("ready-*"))) == 4, "four ranks")


def test_a_kill_leaves_every_rank_the_time_to_save(
    lab: Lab, mpi: dict[str, str]
) -> None:
    copied(lab, PROGRAMS / "mpi_save.py")
    line = "python mpi_save.py 10 | tee copy-${OMPI_COMM_WORLD_RANK-$PMI_RANK}"
    lab.train(RANKS_THAT_SAVE.format(line=line), **mpi)
    until_ready(lab)
    lab.engine.stop(Id(number=1), force=False)
    lab.wait(1)
    (experiment,) = lab.engine.read(Id(number=1)).experiments
    assert saved(lab) == {"0", "1", "2", "3"}
    assert jobs_of(experiment) == {
        "worker.1": "KILLED KILLED",
        "worker.2": "KILLED KILLED",
    }
    # `tee` was not ended before the program that it reads from.
    saved_lines = re.findall(r"rank (\d) saved in 10 seconds", lab.log(1))
    assert sorted(saved_lines) == ["0", "1", "2", "3"]


def test_ranks_that_do_not_handle_the_signal_leave_the_others_their_time(
    lab: Lab, mpi: dict[str, str]
) -> None:
    copied(lab, PROGRAMS / "mpi_save.py")
    line = "python mpi_save.py 3 0 3"
    lab.train(RANKS_THAT_SAVE.format(line=line), **mpi)
    until_ready(lab)
    lab.engine.stop(Id(number=1), force=False)
    lab.wait(1)
    assert saved(lab) == {"1", "2"}


def test_a_failing_rank_leaves_the_others_the_time_to_save(
    lab: Lab, mpi: dict[str, str]
) -> None:
    copied(lab, PROGRAMS / "mpi_save.py")
    line = "python mpi_save.py 5 fails-2"
    lab.train(RANKS_THAT_SAVE.format(line=line), **mpi)
    lab.wait(1)
    (experiment,) = lab.engine.read(Id(number=1)).experiments
    assert saved(lab) == {"0", "1", "3"}
    assert (experiment.state, experiment.guilty, experiment.exit_code) == (
        State.FAILED,
        "1.worker.2",
        7,
    )
    assert jobs_of(experiment)["worker.1"] == "KILLED PEER"


def test_a_timeout_leaves_the_ranks_the_time_to_save(lab: Lab) -> None:
    copied(lab, PROGRAMS / "mpi_save.py")
    text = RANKS_THAT_SAVE.format(line="python mpi_save.py 5") + "timeout: 8"
    run = lab.run(text, PATH=path_of("mpi"))
    (experiment,) = run.experiments
    assert saved(lab) == {"0", "1", "2", "3"}
    assert (experiment.state, experiment.reason) == (State.FAILED, "TIMEOUT")


def agent_of(lab: Lab, job: str) -> psutil.Process:
    """Return the process that runs a worker's part of mpirun."""
    for process in processes_of(lab.engine.home):
        # A process may end while it is examined.
        with suppress(psutil.Error):
            words = process.cmdline()
            is_agent = "/agent.py" in "".join(words[1:2]) and "--reach" not in words
            if is_agent and process.environ().get("RISEML_JOB") == job:
                return process
    raise AssertionError(f"{job} has no agent")


@pytest.mark.parametrize("stopped", ["worker.1", "worker.2"])
def test_one_worker_that_is_stopped_leaves_all_ranks_the_time_to_save(
    stopped: str, lab: Lab
) -> None:
    copied(lab, PROGRAMS / "mpi_save.py")
    line = "python mpi_save.py 5"
    lab.train(RANKS_THAT_SAVE.format(line=line), PATH=path_of("mpi"))
    until_ready(lab)
    agent_of(lab, stopped).terminate()
    lab.wait(1)
    (experiment,) = lab.engine.read(Id(number=1)).experiments
    assert saved(lab) == {"0", "1", "2", "3"}
    assert experiment.state is State.FAILED
    assert experiment.exit_code == 143


def test_ranks_share_the_cpus_of_their_worker(lab: Lab) -> None:
    text = (
        RANKS_THAT_SAVE.format(line="echo $OMP_NUM_THREADS of $RISEML_JOB")
        + "resources: {cpus: 2, mem: 1}"
    )
    assert lab.run(text, PATH=path_of("mpi")).state is State.FINISHED
    lines = sorted(lab.log(1).splitlines())
    assert lines == ["1 of worker.1"] * 2 + ["1 of worker.2"] * 2


MIRRORED = """
framework: tensorflow
tensorflow: {{tensorboard: false, distributed: {{worker: 2}}}}
run: {line}
"""


@pytest.mark.parametrize("way", ["handler", "checkpoint"])
def test_a_kill_leaves_mirrored_workers_the_time_to_save(way: str, lab: Lab) -> None:
    """Follow the advice of the page about TensorFlow on SIGTERM in TensorFlow 2."""
    copied(lab, PROGRAMS / "mirrored_kill.py")
    text = MIRRORED.format(line=f"python mirrored_kill.py {way}")
    lab.train(text, PATH=path_of("tensorflow"))
    lab.until(lambda: len(list(lab.output(1).glob("ready-*"))) == 2, "the group")
    stopped = time.monotonic()
    lab.engine.stop(Id(number=1), force=False)
    lab.wait(1)
    # A program without a handler runs until it is killed after 30 seconds.
    assert time.monotonic() - stopped < 25
    (experiment,) = lab.engine.read(Id(number=1)).experiments
    assert experiment.state is State.KILLED
    if way == "checkpoint":
        assert list((lab.output(1) / "chief").glob("ckpt-*.index"))
        return
    files = lab.output(1).glob("saved-*")
    assert {file.name: file.read_text() for file in files} == {
        "saved-chief": "complete",
        "saved-worker": "complete",
    }


@pytest.mark.parametrize(
    ("end", "code"), [("os._exit(3)", 3), ("os.kill(os.getpid(), 9)", 137)]
)
def test_a_worker_that_ends_before_the_group_forms_ends_the_others(
    end: str, code: int, lab: Lab
) -> None:
    lab.write({"early.py": EARLY.format(end=end)})
    text = MIRRORED.format(line="python early.py")
    (experiment,) = lab.run(text, PATH=path_of("tensorflow")).experiments
    assert (experiment.state, experiment.guilty, experiment.exit_code) == (
        State.FAILED,
        "1.worker",
        code,
    )
    assert jobs_of(experiment)["master"] == "KILLED PEER"


EARLY = """
import json, os, pathlib, time
started = pathlib.Path(os.environ["OUTPUT_DIR"], "started")
if json.loads(os.environ["TF_CONFIG"])["task"]["type"] == "worker":
    while not started.exists():
        time.sleep(0.1)
    {end}
import tensorflow as tf
started.touch()
tf.distribute.MultiWorkerMirroredStrategy()
"""


VARIABLES = """
import json, os, sys
names = json.loads(sys.argv[1])
path = os.path.join(os.environ.get("OUTPUT_DIR", "."), "variables." + os.environ["RANK"])
with open(path, "w") as file:
    json.dump({name: os.environ.get(name) for name in names}, file)
"""


TORCHRUN = """
# Like torchrun, but it starts the processes itself: the redirection in PyTorch 1.13 does not work with Python 3.11.
import os, subprocess, sys
import torch.distributed.elastic.agent.server.local_elastic_agent as agent
from torch.distributed.run import main

class Started:
    def __init__(self, args, envs):
        self.processes = {
            rank: subprocess.Popen([sys.executable, *args[rank][1:]], env={**os.environ, **env})
            for rank, env in envs.items()
        }
    def pids(self):
        return {rank: process.pid for rank, process in self.processes.items()}
    def wait(self, timeout):
        self.return_values = {rank: process.wait() for rank, process in self.processes.items()}
        return self
    def is_failed(self):
        return any(self.return_values.values())
    def close(self, *_):
        pass  # The agent closes what it has started, and here nothing is open.

agent.start_processes = lambda name, entrypoint, args, envs, **_: Started(args, envs)
main()
"""


def test_processes_get_the_variables_of_torchrun(lab: Lab, tmp_path: Path) -> None:
    """Compare with the variables that torchrun sets for two nodes of two processes, except those of its own agent."""
    lab.write({"variables.py": VARIABLES, "torchrun.py": TORCHRUN})
    names = [
        "RANK",
        "WORLD_SIZE",
        "LOCAL_RANK",
        "LOCAL_WORLD_SIZE",
        "GROUP_RANK",
        "GROUP_WORLD_SIZE",
    ]
    names += ["ROLE_RANK", "ROLE_WORLD_SIZE", "ROLE_NAME", "TORCHELASTIC_RESTART_COUNT"]
    path, listed = path_of("torch"), str(names).replace("'", '"')
    arguments = [
        "--nnodes",
        "2",
        "--nproc_per_node",
        "2",
        "--master_addr",
        "127.0.0.1",
        "--master_port",
        "29555",
    ]
    agents = [
        subprocess.Popen(
            [
                "python",
                "torchrun.py",
                *arguments,
                "--node_rank",
                str(node),
                "variables.py",
                listed,
            ],
            cwd=lab.folder,
            env={**os.environ, "PATH": path, "OUTPUT_DIR": str(tmp_path)},
            stderr=subprocess.DEVNULL,
        )
        for node in (0, 1)
    ]
    assert [agent.wait(120) for agent in agents] == [0, 0]
    lab.write({"line.sh": f"python variables.py '{listed}'\n"})
    text = "framework: pytorch\npytorch: {workers: {count: 2, processes: 2}}\nrun: . ./line.sh"
    assert lab.run(text, PATH=path).state is State.FINISHED, lab.log(1)
    for rank in range(4):
        name = f"variables.{rank}"
        assert (lab.output(1) / name).read_text() == (tmp_path / name).read_text()


@pytest.mark.parametrize(
    ("example", "environment"),
    [
        ("tensorflow", "tensorflow"),
        ("tensorflow-distributed", "tensorflow"),
        ("jax", "jax"),
        ("pytorch", "torch"),
        ("mpi", "mpi"),
    ],
)
def test_an_example_runs(example: str, environment: str, lab: Lab) -> None:
    folder = EXAMPLES / example
    copied(lab, *(path for path in folder.iterdir() if path.suffix in {".py", ".txt"}))
    config = (folder / "riseml.yml").read_text().partition("train:\n")[2]
    kept = [
        line[2:]
        for line in config.splitlines()
        if not line.startswith(("  install:", "  image:"))
    ]
    run = lab.run("\n".join(kept), PATH=path_of(environment))
    assert run.state is State.FINISHED, lab.log(1)
    assert run.result
