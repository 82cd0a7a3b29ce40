"""Script that runs TensorBoard, in the shells that images have."""

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from riseml import templating
from tests.local import tensorboards
from tests.unit.script_shells import SHELLS, shells, start_session

Start = Callable[..., "subprocess.Popen[str]"]
TELLS = '#!/bin/sh\necho "$@"\nps -o ni= -p $$\n'


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start the script with programs that come first on PATH, and end it afterwards."""
    started: list[subprocess.Popen[str]] = []

    def begin(shell: str, path: str = "", **programs: str) -> "subprocess.Popen[str]":
        default_path = tensorboards.path_with(tmp_path / "bin", **programs)
        env = {
            "PATH": path or default_path,
            "OUTPUT_DIR": "/out put",
            "TENSORBOARD_ADDRESS": "127.0.0.1:6006",
        }
        script = templating.read("tensorboard.sh")
        process = start_session([*SHELLS[shell], "-c", script, "tensorboard"], env)
        started.append(process)
        return process

    yield begin
    for process in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def lines(process: "subprocess.Popen[str]", count: int) -> list[str]:
    assert process.stdout is not None
    return [process.stdout.readline().rstrip("\n") for _ in range(count)]


def end(process: "subprocess.Popen[str]") -> int:
    assert process.poll() is None
    process.terminate()
    return process.wait(60)


@shells
def test_tensorboard_runs_with_folder_and_address(shell: str, start: Start) -> None:
    process = start(shell, tensorboard=TELLS)
    printed, nice, exited, restarts = lines(process, 4)
    assert printed == "--logdir /out put --host 127.0.0.1 --port 6006"
    assert int(nice) > os.getpriority(os.PRIO_PROCESS, 0)
    assert (
        exited == "riseml: tensorboard exited with status 0; the experiments continue"
    )
    assert restarts == "riseml: it restarts in 5 seconds"
    assert end(process) == 0


@shells
def test_tensorboard_runs_as_a_module_of_python(shell: str, start: Start) -> None:
    process = start(
        shell,
        python3=tensorboards.WORTHLESS,
        python='#!/bin/sh\n[ "$1" = -c ] || echo "$@"\n',
    )
    assert lines(process, 1) == [
        "-m tensorboard.main --logdir /out put --host 127.0.0.1 --port 6006"
    ]
    assert end(process) == 0


@shells
def test_without_tensorboard_the_script_waits(shell: str, start: Start) -> None:
    process = start(
        shell, python3=tensorboards.WORTHLESS, python=tensorboards.WORTHLESS
    )
    assert lines(process, 1) == [
        "riseml: no working tensorboard is installed; the experiments continue without it."
    ]
    assert end(process) == 0


@shells
def test_after_several_failures_the_script_waits(
    shell: str, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = templating.read("tensorboard.sh").replace("in 5 30 120 ''", "in 0 0 0 ''")
    monkeypatch.setattr(templating, "read", lambda name: text)
    process = start(shell, tensorboard=tensorboards.DIES)
    printed: list[str] = []
    while not printed or "too often" not in printed[-1]:
        printed += lines(process, 1)
    assert (
        sum(
            "status 137 (killed, most likely because memory ran out); the experiments continue"
            in line
            for line in printed
        )
        == 4
    )
    assert printed.count("riseml: it restarts in 0 seconds") == 3
    assert end(process) == 0


@shells
def test_tensorboard_ends_with_the_script(shell: str, start: Start) -> None:
    process = start(
        shell,
        tensorboard="#!/bin/sh\ntrap 'echo told; exit' TERM\necho up\nsleep 1000 & wait\n",
    )
    assert lines(process, 1) == ["up"]
    assert end(process) == 0
    assert lines(process, 1) == ["told"]


# busybox has a built-in `sleep`.
@pytest.mark.parametrize("shell", ["bash", "dash"])
def test_without_sleep_the_script_exits(shell: str, tmp_path: Path) -> None:
    program = shutil.which(shell)
    if program is None:
        pytest.skip("not installed")
    done = subprocess.run(
        [program, "-c", templating.read("tensorboard.sh")],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert len(done.stderr.splitlines()) < 10
