"""The attendant of a container: what it does when the program that it calls is killed, or fails."""

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from riseml.engines.local.jobs import attendant, processes
from riseml.engines.local.jobs.attendant import Attendant

KEY = "0123456789ab:1:attended"
# A program whose containers are processes. `fail` holds what it does instead of a start.
_PROGRAM = """#!/bin/sh
cd {folder}
echo "$*" >> calls
case "$1 $2" in
  "run --detach")
    start() {{
      while [ "$1" != image ]; do shift; done
      shift
      setsid sh "$@" > /dev/null 2>&1 < /dev/null &
      echo $! > pid
    }}
    [ ! -e fail ] || . ./fail
    start "$@" ;;
  "container inspect")
    case "$*" in *State.Pid*) cat pid ;; *) echo running ;; esac ;;
  "rm --force") [ ! -e pid ] || kill -KILL "$(cat pid)" ;;
esac 2> /dev/null
exit 0
"""
_ENTRY = """
set -C; : > "{folder}/job/container/started.$1" || exit
shift
"$@"
echo $? >| {folder}/job/container/status.{number}
"""


class Bed:
    """A job's folder, and a program that starts its containers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.job = folder / "job"
        (self.job / "container").mkdir(parents=True)
        self.program = folder / "podman"
        self.program.write_text(_PROGRAM.format(folder=folder))
        self.program.chmod(0o755)

    def run(self, *argv: str, number: int = 0, limits: tuple[str, ...] = ()) -> int:
        entry = _ENTRY.format(folder=self.folder, number=number)
        document = {
            "kind": "podman",
            "program": str(self.program),
            "name": "box",
            "image": "image",
            "options": ["--pull", "never"],
            "limits": list(limits),
            "gang": None,
            "writable": [],
            "command": ["-c", entry, "riseml"],
            "argv": argv,
        }
        (self.job / "container.json").write_text(json.dumps(document))
        return Attendant(str(self.job)).run()

    @property
    def starts(self) -> list[str]:
        calls = (self.folder / "calls").read_text().splitlines()
        return [call for call in calls if call.startswith("run --detach")]

    def fail(self, text: str) -> None:
        (self.folder / "fail").write_text(text)


@pytest.fixture
def bed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bed]:
    monkeypatch.setenv(processes.KEY, KEY)
    monkeypatch.setattr(attendant, "_RETRY_SECONDS", 0.0)
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    handlers = {number: signal.getsignal(number) for number in numbers}
    yield Bed(tmp_path)
    for number, handler in handlers.items():
        signal.signal(number, handler)
    os.close(signal.set_wakeup_fd(-1))


@pytest.mark.parametrize("status", [0, 3])
def test_the_status_is_that_of_the_command(bed: Bed, status: int) -> None:
    assert bed.run("sh", "-c", f"exit {status}") == status
    assert len(bed.starts) == 1
    assert (bed.job / "container-removed").exists()


def test_a_start_that_was_killed_is_repeated(bed: Bed) -> None:
    bed.fail("mv fail failed; kill -KILL $$")
    assert bed.run("sh", "-c", "exit 4", number=1) == 4
    assert len(bed.starts) == 2
    assert "--name box.1" in bed.starts[1]
    # The first container would not run the job, if it came up now.
    assert (bed.job / "container/started.0").exists()


def test_a_container_that_runs_is_not_started_again(bed: Bed) -> None:
    started = bed.job / "container/started.0"
    bed.fail(f'start "$@"; until [ -e {started} ]; do sleep 0.01; done; kill -KILL $$')
    assert bed.run("sh", "-c", "echo x >> ran; exit 5") == 5
    assert len(bed.starts) == 1


def test_limits_that_the_machine_does_not_allow_are_left_out(
    bed: Bed, capfd: pytest.CaptureFixture[str]
) -> None:
    bed.fail(
        'case "$*" in *--memory*) echo "error: cgroup: memory.max"; exit 126; esac'
    )
    number = attendant._STARTS
    assert bed.run("true", number=number, limits=("--memory", "64m")) == 0
    assert "--memory" in bed.starts[0]
    assert "--memory" not in bed.starts[-1]
    assert capfd.readouterr().out == (
        "riseml: this machine lets no container have limits of cpus and mem\n"
    )


def test_a_machine_without_networks_for_containers_shares_its_own(
    bed: Bed, capfd: pytest.CaptureFixture[str]
) -> None:
    bed.fail(
        'case "$*" in *"network host"*) ;; *) echo "netavark: no iptables"; exit 1; esac'
    )
    assert bed.run("true", number=attendant._STARTS) == 0
    assert "has no network for containers" in capfd.readouterr().out


def test_a_container_that_cannot_start_says_why(
    bed: Bed, capfd: pytest.CaptureFixture[str]
) -> None:
    bed.fail('echo "Error: sh: executable file not found"; exit 127')
    assert bed.run("true") == 127
    assert capfd.readouterr().out == (
        "riseml: podman could not start the container of this job\n"
        "riseml: podman: Error: sh: executable file not found\n"
    )


def test_a_signal_reaches_the_command_and_not_the_first_process(bed: Bed) -> None:
    ready = bed.folder / "ready"

    def stop() -> None:
        while not ready.exists():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=stop)
    thread.start()
    trap = f"trap 'exit 7' TERM; touch {ready}; while :; do sleep 0.05; done"
    assert bed.run("sh", "-c", trap) == 7
    thread.join()


def test_a_container_that_was_killed_has_the_status_of_a_kill(
    bed: Bed, capfd: pytest.CaptureFixture[str]
) -> None:
    assert bed.run("sh", "-c", "kill -KILL $PPID") == 137
    assert capfd.readouterr().out == ""


def test_a_job_that_used_too_much_memory_is_told_so(
    bed: Bed, capfd: pytest.CaptureFixture[str]
) -> None:
    (bed.job / attendant.OUT_OF_MEMORY).touch()
    assert bed.run("sh", "-c", "exit 137") == 137
    assert "used more memory than its `mem`" in capfd.readouterr().out
