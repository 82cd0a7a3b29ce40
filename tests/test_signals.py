"""Tests do not depend on the signals that the caller of pytest ignores."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

IGNORED = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT)
PRINT_IGNORED = """
import signal
print(*[s.name for s in signal.valid_signals() if signal.getsignal(s) is signal.SIG_IGN])
"""


def test_a_started_process_ignores_only_what_python_ignores() -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-c", PRINT_IGNORED],
        capture_output=True,
        text=True,
        check=True,
    )
    assert set(done.stdout.split()) <= {"SIGPIPE", "SIGXFSZ"}


@pytest.mark.parametrize("workers", ["0", "1"], ids=["one process", "a worker"])
def test_under_nohup_started_processes_have_default_signals(
    workers: str, tmp_path: Path
) -> None:
    """`nohup` and background jobs of a shell start a process with ignored signals."""
    name = test_a_started_process_ignores_only_what_python_ignores.__name__
    command = [
        *(sys.executable, "-m", "pytest", "-q", "-n", workers),
        *("-p", "no:cacheprovider", f"{__file__}::{name}"),
    ]
    names = " ".join(number.name.removeprefix("SIG") for number in IGNORED)
    done = subprocess.run(
        ["sh", "-c", f'trap "" {names}; exec "$@"', "sh", *command],
        cwd=Path(__file__).parents[1],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
