"""`riseml tensorboard` for an ended run, in a process that receives signals."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from riseml.client import tensorboard
from riseml.client.client import Client
from riseml.ids import Id
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


def test_an_ended_run_uses_the_tensorboard_of_its_own_environment(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    lab.write({"tensorboard/main.py": tensorboards.SERVES})
    lab.run(
        "install: cp -r tensorboard $VIRTUAL_ENV/lib/python3*/site-packages\n"
        "build_files: [tensorboard]\n"
        "run: 'true'"
    )
    environment = lab.engine.environment(Id(number=1))
    assert environment is not None
    # The user has none.
    monkeypatch.setenv("PATH", tensorboards.path_without())
    with Client(engine=lab.engine).tensorboard("1") as board:
        assert tensorboard.answers(board.url)
        children = psutil.Process().children()
        commands = [child.cmdline()[:3] for child in children]
    assert [f"{environment}/bin/python", "-m", "tensorboard.main"] in commands
    lab.run("run: 'true'")
    assert lab.engine.environment(Id(number=2)) is None
