"""Identification, search and end of processes, with /proc and without."""

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from riseml.engines.local.jobs import processes
from tests.local.launcher_home import CHAIN, children, gone, until


class Family:
    """Starter of processes that end with the test."""

    def __init__(self) -> None:
        self.key = f"test:{os.getpid()}:{time.monotonic_ns()}"
        self._all: list[subprocess.Popen[bytes]] = []

    def start(
        self, *argv: str, key: str | None = None, **env: str
    ) -> subprocess.Popen[bytes]:
        environment = {
            "PATH": os.environ["PATH"],
            **({} if key is None else {processes.KEY: key}),
            **env,
        }
        process = subprocess.Popen(
            argv, env=environment, stdout=subprocess.PIPE, start_new_session=True
        )
        self._all.append(process)
        return process

    def sleeper(self, key: str | None = None, **env: str) -> int:
        return self.start("sleep", "1000", key=key, **env).pid

    def wait(self, pid: int) -> int:
        """Wait for a process and return its exit status."""
        return next(process for process in self._all if process.pid == pid).wait(
            timeout=60
        )

    def end(self) -> None:
        for process in self._all:
            process.kill()
            process.wait()
            assert process.stdout
            process.stdout.close()


@pytest.fixture
def family() -> Iterator[Family]:
    family = Family()
    yield family
    for pid in processes.members(family.key):
        os.kill(pid, signal.SIGKILL)
        gone(pid)
    family.end()


@pytest.fixture(params=["proc", "psutil"])
def system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both sources of information: /proc, and psutil for systems without it."""
    if request.param == "psutil":
        monkeypatch.setattr(processes, "LINUX", False)
        monkeypatch.setattr(processes, "_boot_session", lambda: "boot")
        monkeypatch.delattr(os, "pidfd_open", raising=False)
    return str(request.param)


def test_a_process_is_identified_by_pid_start_and_boot(
    system: str, family: Family
) -> None:
    pid = family.sleeper()
    start, boot = processes.start_time(pid), processes.boot_id()
    assert start is not None
    assert boot == processes.boot_id()
    assert processes.alive(pid, start, boot)
    assert not processes.alive(pid, start - 100, boot)
    assert not processes.alive(pid, start, "another boot")
    os.kill(pid, signal.SIGKILL)
    # It is a zombie until its parent waits for it.
    until(lambda: not processes.exists(pid))
    assert not processes.alive(pid, start, boot)
    family.wait(pid)
    assert processes.start_time(pid) is None


def test_a_pidfd_becomes_readable_when_the_process_ends(family: Family) -> None:
    pid = family.sleeper()
    descriptor = processes.pidfd(pid)
    if descriptor is None:
        assert not hasattr(os, "pidfd_open")
        return
    assert select.select([descriptor], [], [], 0)[0] == []
    os.kill(pid, signal.SIGKILL)
    assert select.select([descriptor], [], [], 60)[0] == [descriptor]
    os.close(descriptor)
    family.wait(pid)
    assert processes.pidfd(pid) is None


def test_without_the_system_call_there_is_no_pidfd(system: str, family: Family) -> None:
    pid = family.sleeper()
    assert (processes.pidfd(pid) is None) == (system == "psutil")


def started(family: Family, pid: int) -> Callable[[], bool]:
    """Return a check whether a child has called exec; before, it has our environment."""
    return lambda: Path(f"/proc/{pid}/comm").read_text() == "sleep\n"


def test_members_have_exactly_the_key(system: str, family: Family) -> None:
    key = family.key
    expected = {family.sleeper(key), family.sleeper(key, A="x" * 100_000)}
    others = [
        family.sleeper(f"{key}0"),
        family.sleeper(key[:-1]),
        family.sleeper(""),
        family.sleeper(None),
        family.sleeper(None, OTHER=f"{processes.KEY}={key}"),
        family.sleeper(None, **{f"X{processes.KEY}": key}),
        family.sleeper(None, LINES=f"a\n{processes.KEY}={key}\nb"),
    ]
    for pid in (*expected, *others):
        until(started(family, pid))
    assert processes.members(key) == expected
    assert processes.sweep(key) == len(expected)
    assert processes.members(key) == set()
    assert all(processes.exists(pid) for pid in others)
    assert [family.wait(pid) for pid in expected] == [-signal.SIGKILL] * 2


def test_a_key_may_contain_any_character(family: Family) -> None:
    key = f"{family.key} λ\udce9=\n'"
    pid = family.sleeper(key)
    until(started(family, pid))
    assert processes.members(key) == {pid}
    assert processes.sweep(key) == 1


def test_a_sweep_without_a_supervisor_finds_daemons(
    system: str, family: Family
) -> None:
    """A daemon is two sessions away and adopted by init; it still has the key."""
    parent = family.start(
        "sh",
        "-c",
        "(setsid setsid sleep 1000 &); sleep 1000 & exec sleep 1000",
        key=family.key,
    )
    # The shells and setsids on the way have the key as well, and start more processes.
    until(lambda: programs(family.key) == ["sleep"] * 3)
    assert processes.sweep(family.key, {parent.pid}) == 2
    assert processes.members(family.key) == {parent.pid}
    assert processes.sweep(family.key) == 1


def programs(key: str) -> list[str]:
    """Return the names of the programs that the processes of a job run."""
    names = []
    for pid in processes.members(key):
        with suppress(FileNotFoundError, ProcessLookupError):
            names.append(Path(f"/proc/{pid}/comm").read_text().strip())
    return names


def test_a_sweep_catches_processes_that_flee(family: Family) -> None:
    """Every process of the chain is short-lived and has its own session."""
    for _ in range(3):
        family.start(sys.executable, "-I", "-S", "-c", CHAIN, key=family.key)
    limit = time.monotonic() + 60
    while True:
        processes.sweep(family.key, limit=10)
        time.sleep(0.05)
        if not processes.members(family.key):
            break
        assert time.monotonic() < limit


def test_a_process_that_may_not_be_killed_is_left(
    family: Family, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid = family.sleeper(family.key)
    until(started(family, pid))

    def refuse(pid: int, number: int) -> None:
        raise PermissionError

    with monkeypatch.context() as patch:
        patch.setattr(os, "kill", refuse)
        assert processes.sweep(family.key) == 0
    assert processes.exists(pid)


def test_a_process_that_cannot_die_is_left_after_the_limit(
    family: Family, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid = family.sleeper(family.key)
    until(started(family, pid))
    with monkeypatch.context() as patch:
        # A process that hangs in the kernel does not react to signals.
        patch.setattr(os, "kill", lambda pid, number: None)
        assert processes.sweep(family.key, limit=0.05) == 1
    assert processes.exists(pid)


def test_a_process_with_an_unreadable_environment_is_not_a_member(
    family: Family, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid = family.sleeper(family.key)
    until(started(family, pid))
    assert processes._environment(2**22 + 1) is None
    with monkeypatch.context() as patch:
        patch.setattr(processes, "_environment", lambda pid: None)
        assert processes.members(family.key) == set()
        assert processes.sweep(family.key) == 0
    assert processes.exists(pid)


def test_a_process_in_the_middle_of_exec_is_read_again(
    family: Family, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid = family.sleeper(family.key)
    until(started(family, pid))
    looks: list[int] = []
    real = processes._environment

    def early(number: int) -> bytes | None:
        if number == pid and len(looks) < 3:
            looks.append(number)
            return b""
        return real(number)

    monkeypatch.setattr(processes, "_environment", early)
    assert processes.members(family.key) == {pid}
    assert len(looks) == 3


def test_a_kernel_thread_or_zombie_is_not_waited_for(family: Family) -> None:
    pid = family.sleeper(family.key)
    os.kill(pid, signal.SIGKILL)
    until(lambda: not processes.exists(pid))
    assert not processes._in_exec(pid)
    assert not processes._in_exec(2)
    assert processes.members(family.key) == set()


def test_terminating_a_job_that_is_gone_or_another_job_does_nothing(
    system: str, family: Family
) -> None:
    other = family.sleeper("another:job")
    until(started(family, other))
    assert not processes.terminate(other, family.key)
    assert processes.exists(other)
    ended = family.sleeper(family.key)
    os.kill(ended, signal.SIGKILL)
    family.wait(ended)
    assert not processes.terminate(ended, family.key)


def test_terminating_reaches_all_of_the_process_group(
    system: str, family: Family, tmp_path: Path
) -> None:
    text = "trap 'ended=1' TERM; echo ready; sleep 1000; exit 3"
    process = subprocess.Popen(
        ["sh", "-c", text],
        env={"PATH": os.environ["PATH"], processes.KEY: family.key},
        stdout=subprocess.PIPE,
        start_new_session=True,
        cwd=tmp_path,
    )
    assert process.stdout
    assert process.stdout.readline() == b"ready\n"
    until(lambda: any(started(family, pid)() for pid in children(process.pid)))
    assert processes.terminate(process.pid, family.key)
    assert process.wait(timeout=60) == 3
    process.stdout.close()
    assert (tmp_path / "stop").exists()


def test_the_sweep_of_a_supervisor_is_a_program(family: Family) -> None:
    """supervise.sh calls it; the exit status is 0 if no process is left."""
    pid = family.sleeper(family.key)
    until(started(family, pid))
    bare = Path(processes.__file__).with_name("bare.py")
    done = subprocess.run(
        [sys.executable, "-I", "-S", bare, "processes", family.key, "999999999"],
        check=False,
    )
    assert done.returncode == 0
    assert family.wait(pid) == -signal.SIGKILL


def test_the_small_processes_load_few_modules(tmp_path: Path) -> None:
    """The forkserver's forks are the slower, the more modules it has loaded."""
    text = (
        "import sys\nsys.argv = ['bare.py', 'processes', 'no such key', '999999999']\n"
        "try:\n    exec(open(sys.argv[0]).read())\nexcept SystemExit:\n    pass\n"
        "import riseml.engines.local.jobs.forkserver\nprint(*sys.modules)"
    )
    (tmp_path / "bare.py").write_text("")
    folder = Path(processes.__file__).parent
    shown = subprocess.run(
        [
            sys.executable,
            "-I",
            "-S",
            "-c",
            f"__file__ = {str(folder / 'bare.py')!r}\n{text}",
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert "riseml.engines.local.jobs.forkserver" in shown
    assert not {
        "typing",
        "pathlib",
        "subprocess",
        "psutil",
        "json",
        "re",
        "dataclasses",
        "asyncio",
    } & set(shown)
