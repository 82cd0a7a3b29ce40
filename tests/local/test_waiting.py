"""Commands that wait for a run while its controller is killed again and again: they end with the truth."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from riseml.client.client import Client
from riseml.engines.local import protocol, reader
from riseml.errors import UnreachableError
from riseml.ids import Id
from riseml.status import State
from tests.local.conftest import Lab

_LINES = 30
_KILLS = 4


def kill_controller(home: Path) -> None:
    """Kill the controller as soon as there is one, and wait until it is gone."""
    pid = int((home / "controller.lock").read_text().split()[0])
    os.kill(pid, signal.SIGKILL)


def command(lab: Lab, *words: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "riseml", *words],
        cwd=lab.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def printed_lines(output: str) -> list[str]:
    return re.findall(r"line-\d+", output)


def write_run(lab: Lab, folder: Path, status: int) -> None:
    """Write a riseml.yml whose run prints one line for each file `go-N` that appears."""
    (lab.folder / "riseml.yml").write_text(
        f"""
project: lab
train:
  image: busybox
  resources: {{cpus: 0.01, mem: 64}}
  run: |
    n=0
    while [ $n -lt {_LINES} ]; do
      n=$((n + 1))
      until [ -e {folder}/go-$(((n + 9) / 10)) ]; do sleep 0.02; done
      echo line-$n
    done
    exit {status}
"""
    )


@pytest.mark.parametrize(
    ("status", "outcome", "state"), [(0, 0, "FINISHED"), (3, 100, "FAILED")]
)
def test_waiting_commands_outlive_their_controllers(
    lab: Lab, tmp_path: Path, status: int, outcome: int, state: str
) -> None:
    """No line is printed twice or lost, and each command tells how the run ended."""
    write_run(lab, tmp_path, status)
    home = lab.engine.home
    train = command(lab, "train", "-l")
    lab.until((home / "riseml.db").exists)
    lab.until(lambda: lab.engine.reader.store().summary(1) is not None)
    waiting = {
        "logs": command(lab, "logs", "-f", "1"),
        "status": command(lab, "status", "-w", "1"),
        "wait": command(lab, "wait", "1"),
    }
    for number in range(1, _KILLS + 1):
        lab.until(lambda: protocol.answers(home), "another controller")
        kill_controller(home)
        (tmp_path / f"go-{number}").touch()
    ended = {name: process.communicate() for name, process in waiting.items()}
    output, errors = train.communicate()
    expected = [f"line-{n}" for n in range(1, _LINES + 1)]
    assert (train.returncode, printed_lines(output)) == (outcome, expected), errors
    assert printed_lines(ended["logs"][0]) == expected
    assert f"--> {state}" in ended["logs"][0]
    assert waiting["wait"].returncode == outcome
    shown = ended["status"][0].splitlines()
    assert f"1 {state}" in shown
    assert len(set(shown)) == len(shown)


def test_a_client_waits_across_controllers(lab: Lab, tmp_path: Path) -> None:
    number = lab.train(
        f"run: 'until test -e {tmp_path}/go-2; do sleep 0.02; done'"
    ).number
    states = []
    for status in Client().changes(str(number)):
        assert status is not None
        states.append(status.state)
        if status.state is State.RUNNING and not (tmp_path / "go-2").exists():
            kill_controller(lab.engine.home)
            (tmp_path / "go-2").touch()
    assert states[-1] is State.FINISHED


def test_a_controller_that_cannot_be_started_ends_the_wait_at_last(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = lab.train(
        f"run: 'until test -e {tmp_path}/go; do sleep 0.02; done'"
    ).number
    monkeypatch.setattr(reader, "_CHECK_SECONDS", 0.0)
    attempts = []

    def fail(home: Path) -> None:
        attempts.append(home)
        raise UnreachableError("the local controller does not start")

    with monkeypatch.context() as context:
        context.setattr(protocol, "ensure", fail)
        for _ in range(3):
            assert lab.engine.read(Id(number=number)).state is not State.FAILED
        assert len(attempts) >= 3
        context.setattr(reader, "_ABSENCE_SECONDS", 0.0)
        with pytest.raises(UnreachableError, match="does not start"):
            lab.engine.read(Id(number=number))
    (tmp_path / "go").touch()
    assert lab.wait(number).state is State.FINISHED
