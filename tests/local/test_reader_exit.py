"""`riseml logs ID | grep -q x` ends with the reader, although the job writes nothing more."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from riseml.ids import Id
from riseml.status import State
from tests.local.conftest import Lab


@pytest.mark.parametrize("line", ["logs 1", "logs 1 -o json", "status 1 -w", "wait 1"])
def test_a_command_ends_with_its_reader(line: str, lab: Lab, tmp_path: Path) -> None:
    lab.train(f"run: 'echo here; until test -e {tmp_path}/go; do sleep 0.05; done'")
    lab.until(lambda: lab.engine.read(Id(number=1)).state is State.RUNNING)
    process = subprocess.Popen(
        [sys.executable, "-m", "riseml", *line.split()],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "USER": "me", "LOGNAME": "me"},
        text=True,
    )
    assert process.stdout
    assert process.stderr
    if not line.startswith("wait"):
        assert "\n" in process.stdout.readline()
    process.stdout.close()
    # The job goes on, so nothing else ends the command.
    with process.stderr:
        assert process.stderr.read() == ""
    assert process.wait() == 141
    assert lab.engine.read(Id(number=1)).state is State.RUNNING
    (tmp_path / "go").touch()
    assert lab.wait(1).state is State.FINISHED
