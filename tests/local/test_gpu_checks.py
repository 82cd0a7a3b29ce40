"""The checks for a machine with a GPU, on one without: drivers and jobs are small programs that stand for them."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.fake_drivers import FakeNvidiaSmi, write
from tests.local.conftest import processes_of

ROOT = Path(__file__).parents[2]
NUMBER = "11111111-aaaa-bbbb-cccc-000000000001"
SEES = """import os
ids = [name for name in os.environ["CUDA_VISIBLE_DEVICES"].split(",") if name]
print("devices", len(ids), *[name.removeprefix("GPU-") for name in ids], flush=True)
"""
# As the program nvidia-smi shows it.
COMPUTES = """
with open(os.environ["COMPUTING"], "a") as file:
    file.write(f"    0 {os.getpid()}     C     90     60      -      -    python\\n")
"""
PROGRAMS = {
    "devices.py": SEES,
    "training.py": f"import time\n{SEES}time.sleep(0.2)\nprint('done')\n",
    "jax_start.py": f"{SEES}print('done')\n",
    "memory.py": f"import time\n{SEES}{COMPUTES}print('ready', flush=True)\ntime.sleep(1000)\n",
    "waiting.py": f"import time\n{SEES}time.sleep(1000)\n",
}


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Return the environment of a machine with two cards, torch and jax."""
    smi = FakeNvidiaSmi(tmp_path / "driver", f"GPU-{NUMBER}", "GPU-2")
    for name, text in PROGRAMS.items():
        write(tmp_path / "programs" / name, text)
    for name in ("torch", "jax"):
        write(tmp_path / "modules" / f"{name}.py", "")
    riseml = tmp_path / "riseml"
    write(riseml, f'#!/bin/sh\nexec "{sys.executable}" -m riseml "$@"\n')
    riseml.chmod(0o755)
    (smi.folder / "bin/python").symlink_to(sys.executable)
    return {
        "PATH": f"{smi.folder}/bin:{os.environ['PATH']}",
        "PYTHONPATH": f"{smi.python_path}:{tmp_path}/modules:{ROOT}",
        "HOME": str(tmp_path),
        "COMPUTING": str(smi.folder / "computing"),
        "RISEML_CPUS": "8",
        "RISEML_MEM": "64000",
    }


@pytest.mark.timeout(600)
def test_the_checks_run_to_the_end(tmp_path: Path, environment: dict[str, str]) -> None:
    work = tmp_path / "work"
    work.mkdir()
    command = [sys.executable, str(ROOT / "benchmarks/gpu_checks.py")]
    result = subprocess.run(
        [
            *command,
            *("--riseml", str(tmp_path / "riseml")),
            *("--work", str(work), "--programs", str(tmp_path / "programs")),
            *("--rounds", "2"),
        ],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [line[8:] for line in result.stdout.splitlines()]
    assert "detection: 2 of 2 cards of nvidia-smi, by nvidia-smi" in lines
    assert f"a job sees exactly its card: GPU-{NUMBER}" in lines
    assert "a job without GPUs sees none: 0 cards" in lines
    assert "two JAX jobs at once: 2 of 2 ran at the same time" in lines
    # 1 of the first check, 8 that train, 2 of JAX, 3 that hold memory, and 2 of the last
    assert "cards that an experiment sees: 1 at most, in 16 jobs" in lines
    (idle,) = [line for line in lines if line.startswith("jobs with idle_timeout")]
    assert "one that waits ended as IDLE after " in idle
    assert idle.endswith(" s, one that computes continued")
    names = [line.partition(":")[0] for line in lines]
    assert names.count("four small training jobs") == 1
    (training,) = [line for line in lines if line.startswith("four small")]
    assert training.endswith("8 of 8 finished")
    (memory,) = [line for line in lines if line.startswith("90 % of the memory")]
    assert memory.startswith("90 % of the memory: 2 of 2 jobs got the memory")
    deadline = time.monotonic() + 60
    while processes_of(work):
        assert time.monotonic() < deadline, "the controller does not exit"
        time.sleep(0.05)
