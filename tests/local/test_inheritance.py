"""What a controller and its jobs inherit from the commands that start and use them."""

import contextlib
import fcntl
import json
import os
import resource
import select
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import psutil
import pytest

from riseml import umask
from riseml.engines.local import protocol
from riseml.engines.local.jobs import attributes, processes
from riseml.ids import Id
from riseml.status import State
from tests.local.conftest import PATIENCE, Lab

needs_linux = pytest.mark.skipif(
    not processes.LINUX, reason="other systems have no CPU affinity and no /proc"
)

PROJECT = {
    "riseml.yml": f"""\
project: lab
train:
  image: busybox
  resources: {{cpus: 0.01, mem: 1}}
  run: {sys.executable} report.py
""",
    "report.py": f"""\
import json, os, sys
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from riseml.engines.local.jobs import attributes
with open(os.environ["OUTPUT_DIR"] + "/report", "w") as file:
    json.dump(attributes.current(), file)
""",
}
SUBMIT = """
import fcntl, os, resource, signal, sys
{setup}
command = [sys.executable, "-m", "riseml", "train", "-o", "name"]
os.execv(sys.executable, command)
"""


def submit(lab: Lab, setup: str = "", **options: Any) -> int:
    """Run `riseml train` in a process that Python text has changed before."""
    process = subprocess.run(
        [sys.executable, "-c", SUBMIT.format(setup=setup)],
        cwd=lab.folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        **options,
    )
    assert process.returncode == 0, process.stderr
    return int(process.stdout)


def reported(lab: Lab, number: int) -> attributes.Attributes:
    """Wait for a run, and return the attributes of its job."""
    assert lab.wait(number).state is State.FINISHED, lab.log(number)
    report: attributes.Attributes = json.loads(
        (lab.output(number) / "report").read_text()
    )
    return report


def controller(lab: Lab) -> psutil.Process:
    return psutil.Process(int((lab.engine.home / "controller.lock").read_text()))


def launcher(lab: Lab) -> psutil.Process:
    for child in controller(lab).children():
        # Others remove folders, and end soon.
        with contextlib.suppress(psutil.Error):
            if "forkserver" in child.cmdline():
                return child
    raise AssertionError


def signals_of(pid: int, name: str) -> int:
    """Return a set of signals in the status of a process, as bits."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition(f"{name}:")[2].split()[0], 16)


def until_unblocked(lab: Lab, pid: int) -> None:
    # While a process starts another one, it blocks all signals.
    lab.until(lambda: signals_of(pid, "SigBlk") == 0)


def test_a_lock_of_the_first_caller_is_free_when_that_has_ended(lab: Lab) -> None:
    lab.write(PROJECT)
    path = lab.folder.parent / "cron.lock"
    setup = f"""
lock = os.open({str(path)!r}, os.O_RDWR | os.O_CREAT)
fcntl.flock(lock, fcntl.LOCK_EX)
os.dup2(lock, 9)
os.dup2(lock, 200)
"""
    submit(lab, setup)
    assert protocol.answers(lab.engine.home)
    with path.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_pipe_of_the_first_caller_ends_with_it(lab: Lab) -> None:
    lab.write(PROJECT)
    reader, writer = os.pipe()
    submit(lab, f"os.set_inheritable({writer}, True)", pass_fds=(writer,))
    os.close(writer)
    assert protocol.answers(lab.engine.home)
    assert select.select([reader], [], [], PATIENCE)[0]
    assert os.read(reader, 1) == b""
    os.close(reader)


LIMITED = """
os.umask(0o027)
os.nice(3)
resource.setrlimit(resource.RLIMIT_NOFILE, (300, 400))
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
"""


def test_each_run_has_the_attributes_of_its_own_command(lab: Lab) -> None:
    lab.write(PROJECT)
    usual = attributes.current()
    first, second = submit(lab, LIMITED), submit(lab)
    changed = {"umask": [0o027], "nice": [3], "NOFILE": [300, 400], "CORE": [0, 0]}
    if "cpus" in usual:
        changed["cpus"] = usual["cpus"][:1]
    assert reported(lab, first) == {**usual, **changed}
    # As a user without rights, only another controller can give these jobs more.
    assert reported(lab, second) == usual


@needs_linux
def test_the_controller_and_the_launcher_have_nothing_of_the_first_caller(
    lab: Lab,
) -> None:
    lab.write(PROJECT)
    submit(lab, "os.umask(0o007); os.sched_setaffinity(0, {0})" + LIMITED)
    for process in (controller(lab), launcher(lab)):
        status = Path(f"/proc/{process.pid}/status").read_text()
        assert "\nUmask:\t0077\n" in status
        assert set(process.cpu_affinity() or ()) == os.sched_getaffinity(0)
        if os.geteuid() == 0:
            assert process.nice() == 0


@needs_linux
def test_ignored_and_blocked_signals_of_the_first_caller_change_nothing(
    lab: Lab,
) -> None:
    lab.write(PROJECT)
    setup = """
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGCHLD})
"""
    assert lab.wait(submit(lab, setup)).state is State.FINISHED
    for process in (controller(lab), launcher(lab)):
        until_unblocked(lab, process.pid)
        ignored = signals_of(process.pid, "SigIgn")
        assert not ignored >> (signal.SIGCHLD - 1) & 1
        assert not ignored >> (signal.SIGTERM - 1) & 1


@needs_linux
def test_the_controller_has_no_variables_that_mean_the_first_caller(lab: Lab) -> None:
    lab.write(PROJECT)
    variables = {
        "AWS_SECRET_ACCESS_KEY": "s",
        "GIT_DIR": "/",
        "RISEML_JOB_KEY": "a:1:b",
    }
    submit(lab, f"os.environ.update({variables})")
    for process in (controller(lab), launcher(lab)):
        assert not variables.keys() & process.environ().keys()
        assert process.environ()["PATH"] == os.environ["PATH"]


def test_experiments_that_a_later_controller_starts_have_the_attributes_of_their_run(
    lab: Lab,
) -> None:
    gate = lab.folder.parent / "gate"
    config = PROJECT["riseml.yml"].replace(
        "  run: ",
        "  parameters: {n: [1, 2]}\n  concurrency: 1\n  run: until [ -e "
        f"{gate} ]; do sleep 0.05; done; exec ",
    )
    lab.write({**PROJECT, "riseml.yml": config})
    usual = attributes.current()
    number = submit(lab, "os.umask(0o031)")
    lab.until(lambda: lab.engine.read(Id(number=number)).state is State.RUNNING)
    process = controller(lab)
    process.kill()
    process.wait(PATIENCE)
    protocol.ensure(lab.engine.home)
    gate.touch()
    assert lab.wait(number).state is State.FINISHED
    for sub in (1, 2):
        report = json.loads((lab.output(number, sub) / "report").read_text())
        assert report == {**usual, "umask": [0o031]}


def test_a_command_whose_program_ignores_its_children_starts_a_controller(
    lab: Lab,
) -> None:
    handler = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        protocol.ensure(lab.engine.home)
    finally:
        signal.signal(signal.SIGCHLD, handler)
    assert protocol.answers(lab.engine.home)


@needs_linux
def test_a_run_uses_no_more_cores_than_its_command_may(lab: Lab) -> None:
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) == 1:
        pytest.skip("this machine has one CPU, so that an affinity restricts nothing")
    gate = lab.folder.parent / "gate"
    config = """\
project: lab
train:
  image: busybox
  resources: {cpus: %s, mem: 1}
  parameters: {n: [1, 2]}
  concurrency: 2
  run: until [ -e %s ]; do sleep 0.05; done
"""
    lab.write({"riseml.yml": config % (1, gate)})
    setup = f"os.sched_setaffinity(0, {{{cpus[0]}}})"
    number = submit(lab, setup)

    def states() -> list[State]:
        experiments = lab.engine.read(Id(number=number)).experiments
        return [experiment.state for experiment in experiments]

    lab.until(lambda: State.RUNNING in states())
    second = lab.engine.read(Id(number=number)).experiments[1]
    assert states() == [State.RUNNING, State.PENDING]
    assert second.message == "waiting: 1 cpu needed, 0 free"
    gate.touch()
    assert lab.wait(number).state is State.FINISHED
    lab.write({"riseml.yml": config % (2, gate)})
    with pytest.raises(AssertionError, match="cpus: 2 requested, the CPU affinity of"):
        submit(lab, setup)


def test_threads_can_read_the_umask_while_others_create_files(tmp_path: Path) -> None:
    if not Path("/proc/self/status").exists():
        pytest.skip("only /proc tells the umask without changing it")
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            umask.current()

    usual = umask.current()
    threads = [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    modes = set()
    for number in range(300):
        path = tmp_path / str(number)
        path.touch()
        modes.add(path.stat().st_mode & 0o777)
    stop.set()
    for thread in threads:
        thread.join()
    assert modes == {0o666 & ~usual}


def test_a_process_that_may_not_give_everything_says_what_it_cannot() -> None:
    infinite = resource.RLIM_INFINITY
    bounds = {"nice": [5], "NOFILE": [1000], "AS": [infinite]}
    modest = {"nice": [5], "NOFILE": [10, 1000], "AS": [1, infinite]}
    assert attributes.exceeding(modest, bounds) == []
    greedy = {"nice": [4], "NOFILE": [10, infinite], "AS": [1, 2]}
    assert attributes.exceeding(greedy, bounds) == ["nice", "NOFILE"]
    assert attributes.exceeding(greedy, {}) == []
