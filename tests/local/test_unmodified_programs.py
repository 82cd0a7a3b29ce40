"""Programs as they are: what they print, and what they save when they are stopped."""

import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from riseml.ids import Id
from riseml.status import State
from tests.local.conftest import Lab
from tests.unit.templates.test_stop_script import POOL, TRAINER

PYTHON = sys.executable


@pytest.fixture(autouse=True)
def _usual_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove what the shell of a test machine may have set, and that of a user has not."""
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)


def is_up(lab: Lab) -> Callable[[], bool]:
    return lambda: "up\n" in lab.log(1)


def test_output_appears_while_the_program_runs_and_survives_a_kill(lab: Lab) -> None:
    code = """
        import os, signal, time
        for n in range(12):
            print("epoch", n)
        while not os.path.exists(os.environ["OUTPUT_DIR"] + "/go"):
            time.sleep(0.01)
        print("last")
        os.kill(os.getpid(), signal.SIGKILL)
        """
    lab.write({"fit.py": code})
    lab.train(f"run: exec {PYTHON} fit.py")
    lines = "".join(f"epoch {n}\n" for n in range(12))
    lab.until(lambda: lab.log(1) == lines)
    (lab.output(1) / "go").touch()
    lab.wait(1)
    assert lab.log(1).startswith(lines + "last\n")
    run = lab.engine.read(Id(number=1))
    assert (run.state, run.experiments[0].exit_code) == (State.FAILED, 137)


def test_a_pipe_hides_no_failure(lab: Lab) -> None:
    run = lab.run(f"run: ['{PYTHON} -c \"raise SystemExit(5)\" | cat', echo second]")
    assert (run.state, run.experiments[0].exit_code) == (State.FAILED, 5)
    assert "second" not in lab.log(1)


def test_libraries_use_the_cpus_of_their_job(lab: Lab) -> None:
    lab.run(
        """
        resources: {cpus: 2, mem: 1}
        env: {MKL_NUM_THREADS: "1"}
        run: echo $OMP_NUM_THREADS $OPENBLAS_NUM_THREADS $MKL_NUM_THREADS $LOKY_MAX_CPU_COUNT
        """
    )
    assert lab.log(1) == "2 2 1 2\n"


def _wait_for_checkpoint(lab: Lab) -> Path:
    lab.wait(1)
    return lab.output(1) / "ckpt"


@pytest.mark.parametrize(
    "line",
    [
        f"{PYTHON} t.py",
        f"{PYTHON} t.py 2>&1 | tee $OUTPUT_DIR/log.txt",
        f"{PYTHON} t.py & wait $!",
        f"bash -c '{PYTHON} t.py; echo after $?'",
    ],
    ids=["plain", "tee", "background", "subshell"],
)
def test_a_killed_trainer_saves_with_its_helpers(lab: Lab, line: str) -> None:
    lab.write({"t.py": TRAINER})
    lab.train(f"run: {line}")
    lab.until(is_up(lab))
    lab.engine.stop(Id(number=1))
    lab.engine.stop(Id(number=1))
    assert _wait_for_checkpoint(lab).read_text() == "True 1"
    assert lab.engine.read(Id(number=1)).state is State.KILLED
    # A shell may say which of its programs was terminated, in the middle of a line.
    words = re.findall("up|saving|saved", lab.log(1))
    assert words[:3] == ["up", "saving", "saved"]


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_killed_process_pool_ends_its_epoch(lab: Lab, when: str) -> None:
    lab.write({"pool.py": POOL})
    lab.train(f"env: {{WHEN: {when}}}\nrun: {PYTHON} pool.py")
    lab.until(is_up(lab))
    lab.engine.stop(Id(number=1))
    assert _wait_for_checkpoint(lab).read_text() == "epoch"
    assert lab.log(1) == "up\ncheckpoint\n"


def test_a_timeout_lets_the_trainer_save_before_tee_ends(lab: Lab) -> None:
    lab.write({"t.py": TRAINER})
    lab.train(f"timeout: 5s\nrun: {PYTHON} t.py 2>&1 | tee $OUTPUT_DIR/log.txt")
    assert _wait_for_checkpoint(lab).read_text() == "True 1"
    assert (lab.output(1) / "log.txt").read_text() == "up\nsaving\nsaved\n"
