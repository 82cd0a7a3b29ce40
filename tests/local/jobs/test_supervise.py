"""Supervision of jobs: signals, deadlines, sidecars, and a controller that dies."""

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from riseml.engines.local.jobs import launcher, processes
from tests.local.launcher_home import (
    CHAIN,
    DAEMON,
    PATIENCE,
    Home,
    a_home,
    children,
    gone,
    opened,
    until,
)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with a_home(tmp_path / "home") as home:
        yield home


# Signals and time


# The sleep is short because a signal that comes just before it does not interrupt it.
SAVES = f"""exec {sys.executable} -S -c '
import os, signal, time
def save(*_):
    os.write(1, b"saving\\n")
    time.sleep(0.6)
    os.write(1, b"saved\\n")
    os._exit(7)
signal.signal(signal.SIGTERM, save)
os.write(1, b"ready\\n")
while True: time.sleep(0.02)'
"""


def test_a_terminated_job_may_save_and_log_its_last_output(
    home: Home,
) -> None:
    job = home.job(SAVES)
    pid = home.start(job)
    home.says("ready")
    assert processes.terminate(pid, job.key)
    assert home.end(job).status == 7
    assert home.log() == "ready\nsaving\nsaved\n"


@pytest.mark.parametrize(
    "name", ["HUP", "INT", "QUIT", "TERM", "USR1", "USR2", "PIPE", "ALRM"]
)
def test_a_signal_to_the_group_does_not_end_the_supervisor(
    home: Home, name: str
) -> None:
    number = signal.Signals[f"SIG{name}"]
    job = home.job("echo ready; exec sleep 1000")
    pid = home.start(job)
    home.says("ready")
    os.killpg(pid, number)
    assert home.end(job).status == 128 + number


@pytest.mark.parametrize("while_in", ["init", "main"])
def test_a_job_that_ignores_term_is_killed_with_its_descendants(
    home: Home, while_in: str
) -> None:
    stubborn = f"trap '' TERM; {DAEMON} sleep 1001 & (sleep 1002 &); echo ready; while :; do sleep 0.05; done"
    job = (
        home.job(stubborn)
        if while_in == "main"
        else home.job("echo main", init=(home.sh(stubborn),))
    )
    pid = home.start(job)
    home.says("ready")
    assert processes.terminate(pid, job.key)
    # The supervisor becomes the parent of the daemon.
    until(lambda: len(children(pid)) >= 2)
    family = children(pid)
    assert processes.sweep(job.key, {pid}, supervisor=pid) >= 4
    ended = home.end(job)
    assert (ended.status, ended.step) == (
        137,
        launcher.MAIN if while_in == "main" else 0,
    )
    assert not any(processes.exists(member) for member in family)
    assert "main" not in home.log().split()


def test_a_job_terminated_as_it_starts_runs_no_further_step(home: Home) -> None:
    job = home.job(
        "touch ran; sleep 1000", init=(home.sh("trap '' TERM; echo ready; sleep 0.3"),)
    )
    pid = home.start(job)
    home.says("ready")
    processes.terminate(pid, job.key)
    assert home.end(job).status == 143
    assert not (home.folder / "ran").exists()


def test_terminating_right_after_the_start_is_never_lost(home: Home) -> None:
    for _ in range(10):
        job = home.job("sleep 1000")
        assert processes.terminate(home.start(job), job.key)
        assert home.end(job).status == 143


def test_at_its_deadline_a_job_may_save_and_log_its_last_output(home: Home) -> None:
    ended = home.run(SAVES, deadline=0.3, grace=30.0)
    assert (ended.status, ended.deadline) == (7, True)
    assert (
        home.log()
        == "ready\nriseml: stopped after 0.3 seconds, the timeout of this job\nsaving\nsaved\n"
    )


def test_after_the_grace_period_every_process_is_killed(home: Home) -> None:
    ended = home.run(
        f"trap '' TERM; {DAEMON} while :; do sleep 0.05; done", deadline=0.2, grace=0.2
    )
    assert (ended.status, ended.deadline) == (137, True)


def test_the_deadline_applies_to_the_main_command(
    home: Home,
) -> None:
    ended = home.run("exit 4", init=(home.sh("sleep 0.5"),), deadline=0.4)
    assert (ended.status, ended.deadline) == (4, False)
    assert home.run("true", deadline=86400.0).status == 0


def test_processes_that_a_job_leaves_behind_end_with_it(home: Home) -> None:
    job = home.job(f"sleep 1000 & {DAEMON} exit 3")
    home.start(job)
    assert home.end(job).status == 3
    assert "sleep 1000" not in subprocess.run(
        ["ps", "-eo", "sess,args"], capture_output=True, text=True, check=True
    ).stdout.split(
        str(launcher.read_pid(Path(job.directory))[0])  # type: ignore[index]
    )


def test_a_process_of_another_job_is_not_touched(home: Home) -> None:
    home.keys.append("another:job")
    ended = home.run(f"{processes.KEY}=another:job setsid sleep 1000 & echo $!; exit 0")
    other = int(home.log())
    assert ended.status == 0
    assert processes.exists(other)
    os.kill(other, signal.SIGKILL)


def test_a_job_that_stops_its_own_group_can_be_killed(home: Home) -> None:
    job = home.job("echo ready; kill -STOP 0")
    pid = home.start(job)
    home.says("ready")
    processes.sweep(job.key, supervisor=pid)
    assert home.end(job).status == 137


def test_a_chain_of_fleeing_processes_is_swept(home: Home) -> None:
    text = f"import os\nif os.fork():\n os.write(1, b'ready')\n os.execlp('sleep', 'sleep', '1000')\n{CHAIN}"
    job = home.job(home.step(sys.executable, "-S", "-c", text))
    pid = home.start(job)
    home.says("ready")
    processes.sweep(job.key, supervisor=pid, limit=PATIENCE)
    assert home.end(job).status == 137


# Sidecars


def test_a_sidecar_ends_with_the_main_command(home: Home) -> None:
    sidecar = home.sh(
        "trap 'echo bye; exit 0' TERM; echo up; touch up; while :; do sleep 0.02; done",
        "sidecar",
    )
    ended = home.run(
        "until [ -e up ]; do sleep 0.01; done; echo main; exit 3", sidecars=(sidecar,)
    )
    assert ended.status == 3
    assert home.log() == "main\n"
    assert home.log("sidecar") == "up\nbye\n"


def test_a_stubborn_sidecar_is_killed_after_the_grace_period(home: Home) -> None:
    sidecar = home.sh("trap '' TERM; touch up; while :; do sleep 0.02; done", None)
    ended = home.run(
        "until [ -e up ]; do sleep 0.01; done", sidecars=(sidecar, sidecar), grace=0.2
    )
    assert ended.status == 0


def test_a_sidecar_that_fails_does_not_matter(home: Home) -> None:
    assert (
        home.run(
            "sleep 0.1; exit 2", sidecars=(home.step("no-such-command", log="sidecar"),)
        ).status
        == 2
    )
    assert "not found" in home.log("sidecar")


# Deaths of the launcher and the controller


def test_jobs_survive_a_killed_launcher_and_bring_the_controller_back(
    home: Home,
) -> None:
    job = home.job("until [ -e go ]; do sleep 0.01; done; exit 6")
    home.start(job)
    os.kill(home.launcher.pid, signal.SIGKILL)
    os.waitpid(home.launcher.pid, 0)
    (home.folder / "go").touch()
    assert home.end(job).status == 6
    until((home.folder / "restarted").exists)
    # This starts a new launcher.
    assert home.run("exit 1").status == 1


def test_a_launcher_killed_between_two_jobs_is_replaced(home: Home) -> None:
    for status in range(3):
        assert home.run(f"exit {status}").status == status
        os.kill(home.launcher.pid, signal.SIGKILL)


def let_go(home: Home) -> None:
    """Close what the kernel closes when a controller is killed."""
    os.close(home.launcher._requests)
    os.close(home.lock)
    os.close(home.launcher._replies)
    home.launcher._requests, home.launcher._replies = os.pipe()[::-1]
    home.lock = os.open(os.devnull, os.O_RDONLY)


def test_the_end_of_a_job_brings_an_absent_controller_back(home: Home) -> None:
    job = home.job("until [ -e go ]; do sleep 0.01; done; exit 6")
    home.start(job)
    let_go(home)
    assert processes.exists(home.launcher.pid)
    assert not (home.folder / "restarted").exists()
    (home.folder / "go").touch()
    assert home.end(job).status == 6
    os.waitpid(home.launcher.pid, 0)
    until((home.folder / "restarted").exists)
    until(lambda: (home.folder / "restarted").read_text() == "none\n")


def test_a_controller_killed_right_after_a_jobs_end_is_brought_back(home: Home) -> None:
    home.run("true")
    let_go(home)
    os.waitpid(home.launcher.pid, 0)
    until((home.folder / "restarted").exists)


def test_a_running_controller_is_not_started_again(home: Home) -> None:
    job = home.job("until [ -e go ]; do sleep 0.01; done")
    home.start(job)
    let_go(home)
    other = os.open(home.folder / "controller.lock", os.O_RDWR)
    # The launcher releases the lock.
    until(lambda: is_held(other))
    (home.folder / "go").touch()
    home.end(job)
    os.waitpid(home.launcher.pid, 0)
    os.close(other)
    assert not (home.folder / "restarted").exists()


def is_held(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def test_a_launcher_without_jobs_exits_with_its_controller(home: Home) -> None:
    home.run("true")
    home.launcher.close()
    os.waitpid(home.launcher.pid, 0)
    assert not (home.folder / "restarted").exists()
    home.launcher._spawn()


def test_a_controller_started_from_inside_a_job_is_not_part_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(processes.KEY, "outer")
    home = opened(tmp_path / "home")
    job = home.job("until [ -e go ]; do sleep 0.01; done")
    home.start(job)
    let_go(home)
    (home.folder / "go").touch()
    home.end(job)
    os.waitpid(home.launcher.pid, 0)
    until((home.folder / "restarted").exists)
    until(lambda: (home.folder / "restarted").read_text() == "\n")


KILLED_CONTROLLER = """
import fcntl, os, signal, sys
from pathlib import Path
from riseml.engines.local.jobs.launcher import Launcher, ProcessSpec, Step
home = Path(sys.argv[1])
lock = os.open(home / "controller.lock", os.O_RDWR | os.O_CREAT)
fcntl.flock(lock, fcntl.LOCK_EX)
launcher = Launcher(home, lock, ["/bin/true"])
for number in range(30):
    (home / str(number)).mkdir()
    step = Step(("sleep", "1000"), {"PATH": os.environ["PATH"]}, "/", None)
    launch = ProcessSpec(f"{home}:{number}", str(home / str(number)), step)
    launcher.begin(launch)
print("sent", flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_next_holder_of_the_lock_finds_every_running_job(tmp_path: Path) -> None:
    """A controller is killed while jobs start: every job that runs has a pid file."""
    subprocess.run(
        [sys.executable, "-c", KILLED_CONTROLLER, str(tmp_path)],
        stdout=subprocess.PIPE,
        check=False,
    )
    lock = os.open(tmp_path / "controller.lock", os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX)
    records = {
        number: launcher.read_pid(tmp_path / str(number)) for number in range(30)
    }
    assert all(records.values())
    for number, record in records.items():
        assert record is not None
        assert processes.alive(*record)
        processes.sweep(f"{tmp_path}:{number}", supervisor=record[0])
        gone(record[0])
    os.close(lock)


def test_the_launcher_reaps_its_jobs(home: Home) -> None:
    for _ in range(5):
        home.run("true")
    until(lambda: children(home.launcher.pid) == [])
