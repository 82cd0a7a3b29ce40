"""`riseml tensorboard` for an ended run, in a process that receives signals."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from riseml.client import tensorboard
from tests.local import tensorboards
from tests.local.conftest import Lab


@pytest.mark.parametrize(
    ("sent", "status"),
    [(signal.SIGINT, 0), (signal.SIGTERM, 143), (signal.SIGHUP, 129)],
    ids=["INT", "TERM", "HUP"],
)
def test_stopping_the_command_leaves_no_process(
    sent: signal.Signals, status: int, lab: Lab, tmp_path: Path
) -> None:
    lab.run("run: 'true'\nparameters: {n: [1, 2]}")
    path = tensorboards.path_with(tmp_path / "bin", tensorboard=tensorboards.SERVES)
    with subprocess.Popen(
        [sys.executable, "-m", "riseml", "tensorboard", "1.2"],
        env={**os.environ, "PATH": path, "LOGNAME": "me"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert tensorboard.answers(url)
        (child,) = psutil.Process(process.pid).children()
        assert child.cmdline()[-5:-3] == [str(lab.output(1, 2)), "--host"]
        process.send_signal(sent)
        output = process.communicate(timeout=60)
    assert process.returncode == status, output
    assert not child.is_running()
    assert not tensorboard.answers(url)
