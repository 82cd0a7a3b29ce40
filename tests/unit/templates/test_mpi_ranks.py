"""Ranks of an MPI worker: which processes get TERM, and in which order."""

import importlib.util
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import ModuleType

import pytest

from riseml import templating

PATIENCE = 30.0
# Writes what it gets, and exits a while after TERM.
PROGRAM = """
import os, pathlib, signal, subprocess, sys, time
name, seconds = sys.argv[1], float(sys.argv[2])
def save(*_):
    time.sleep(seconds)
    pathlib.Path(name + ".saved").write_text(str(time.monotonic()))
    sys.exit(0)
signal.signal(signal.SIGTERM, save)
if len(sys.argv) > 3:
    subprocess.Popen([sys.executable, __file__, *sys.argv[3:]])
pathlib.Path(name + ".ready").touch()
while True:
    time.sleep(0.05)
"""


@pytest.fixture
def ranks_module(tmp_path: Path) -> ModuleType:
    path = tmp_path / "mpi_ranks.py"
    path.write_text(templating.read("mpi_ranks.py"))
    spec = importlib.util.spec_from_file_location("mpi_ranks", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Worker:
    """The folder of one worker, and its ranks."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.mpi = folder / "riseml" / "mpi"
        self.mpi.mkdir(parents=True)
        for name, template in (("rank.sh", "mpi_rank.sh"), ("session.sh",) * 2):
            (self.mpi / name).write_text(templating.read(template))
        (folder / "program.py").write_text(PROGRAM)
        (folder / "log").touch()
        self.ranks: list[subprocess.Popen[bytes]] = []

    def start(self, line: str) -> subprocess.Popen[bytes]:
        """Start a rank as mpirun does; the test itself is the agent."""
        environment = {
            **os.environ,
            "OMPI_COMM_WORLD_RANK": str(len(self.ranks)),
            "RISEML_DIR": str(self.folder / "riseml"),
            "RISEML_MPI_AGENT": str(os.getpid()),
            "RISEML_MPI_CWD": str(self.folder),
            "RISEML_MPI_OUT": str(self.folder / "log"),
            "RISEML_MPI_ERR": str(self.folder / "log"),
        }
        script = '. "$RISEML_DIR/mpi/rank.sh"'
        rank = subprocess.Popen(
            ["sh", "-c", script, "riseml", line], env=environment, process_group=0
        )
        self.ranks.append(rank)
        return rank

    def until(self, *names: str) -> None:
        for name in names:
            until((self.folder / name).exists)

    def time_of(self, name: str) -> float:
        return float((self.folder / name).read_text())


def until(happened: Callable[[], object]) -> None:
    limit = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < limit, f"did not happen: {happened}"
        time.sleep(0.02)


@pytest.fixture
def worker(tmp_path: Path, ranks_module: ModuleType) -> Iterator[Worker]:
    (tmp_path / "worker").mkdir()
    worker = Worker(tmp_path / "worker")
    ranks_module.Ranks(str(worker.mpi)).prepare()
    yield worker
    for rank in worker.ranks:
        with suppress(ProcessLookupError):
            os.killpg(rank.pid, signal.SIGKILL)
        rank.wait()


def test_programs_save_before_their_helpers_get_the_signal(
    worker: Worker, ranks_module: ModuleType
) -> None:
    worker.start("python3 program.py main 1 helper 0")
    worker.until("main.ready", "helper.ready")
    ranks_module.Ranks(str(worker.mpi)).stop(PATIENCE)
    assert worker.time_of("main.saved") < worker.time_of("helper.saved")


def test_all_ranks_of_a_worker_save_at_once(
    worker: Worker, ranks_module: ModuleType
) -> None:
    worker.start("python3 program.py a 1")
    worker.start("python3 program.py b 1 && python3 program.py never 1")
    worker.until("a.ready", "b.ready")
    ranks_module.Ranks(str(worker.mpi)).stop(PATIENCE)
    assert worker.time_of("a.saved") == pytest.approx(
        worker.time_of("b.saved"), abs=0.9
    )
    assert not (worker.folder / "never.ready").exists()
    # The ranks stay until the agent ends mpirun, which would kill the others at once.
    assert [rank.poll() for rank in worker.ranks] == [None, None]


@pytest.mark.parametrize(
    "line",
    [
        "python3 program.py main 1 | tee copy",
        "sh script.sh",
        "bash -c 'python3 program.py main 1; true'",
        "(python3 program.py main 1; true) 2>&1 | tee copy",
    ],
)
def test_a_program_within_pipelines_and_scripts_saves(
    line: str, worker: Worker, ranks_module: ModuleType
) -> None:
    (worker.folder / "script.sh").write_text("python3 program.py main 1\ntrue\n")
    worker.start(line)
    worker.until("main.ready")
    ranks_module.Ranks(str(worker.mpi)).stop(PATIENCE)
    assert (worker.folder / "main.saved").exists()


def test_the_time_of_a_stop_is_limited(
    worker: Worker, ranks_module: ModuleType
) -> None:
    worker.start("python3 program.py main 1000")
    worker.until("main.ready")
    started = time.monotonic()
    ranks_module.Ranks(str(worker.mpi)).stop(0.5)
    assert 0.5 <= time.monotonic() - started < PATIENCE
    assert not (worker.folder / "main.saved").exists()


def test_a_rank_does_not_start_its_line_after_a_stop(
    worker: Worker, ranks_module: ModuleType
) -> None:
    ranks_module.Ranks(str(worker.mpi)).stop(0.1)
    worker.start("touch started")
    until(lambda: list(worker.mpi.glob("ranks/*.ended")))
    assert not (worker.folder / "started").exists()
    assert not (worker.mpi / "failed").exists()


def test_a_failing_rank_leaves_a_record_and_tells_the_agent(
    worker: Worker,
) -> None:
    signals: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, _: signals.append(number))
    try:
        rank = worker.start("false | true; touch after")
        until(lambda: signals)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert (worker.mpi / "failed").read_text() == "0 1\n"
    assert not (worker.folder / "after").exists()
    # mpirun ends it with TERM.
    rank.terminate()
    assert rank.wait(PATIENCE) == 1


def test_a_rank_that_succeeds_exits_at_once(worker: Worker) -> None:
    rank = worker.start('echo "rank $OMPI_COMM_WORLD_RANK"')
    assert rank.wait(PATIENCE) == 0
    assert (worker.folder / "log").read_text() == "rank 0\n"
