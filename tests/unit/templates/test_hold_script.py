"""Wait of the run script after a failure, in the shells that images have."""

import signal
import subprocess
import time
from pathlib import Path

import pytest

from riseml.compiler import pod
from riseml.status import held
from tests.unit.script_shells import shells
from tests.unit.templates.container_job import Job

PATIENCE = 30.0


@pytest.fixture
def job(tmp_path: Path) -> Job:
    job = Job(tmp_path)
    job.env |= {"RISEML_HOLD": "600", "RISEML_EXPERIMENT": "14", "RISEML_LOGGED": "1"}
    return job


def start(job: Job, shell: str, line: str) -> "subprocess.Popen[str]":
    return job.start(line, shell=shell, script=pod.script(holds=True))


def until_held(job: Job) -> Path:
    """Wait until the job is held, and return its file."""
    file = job.output / ".riseml/held.train"
    limit = time.monotonic() + PATIENCE
    while not file.exists() or held.read(file.read_text()) is None:
        assert time.monotonic() < limit
        time.sleep(0.02)
    return file


@shells
def test_a_job_that_fails_waits_until_its_file_is_removed(job: Job, shell: str) -> None:
    with start(job, shell, "exit 3") as process:
        file = until_held(job)
        hold = held.read(file.read_text())
        assert hold is not None
        assert (hold.attempt, hold.exit_code) == (0, 3)
        assert 0 < hold.until.timestamp() - time.time() <= 600
        assert process.poll() is None
        file.unlink()
        output = process.communicate(timeout=PATIENCE)[0]
    assert process.returncode == 3
    begin, end = output.splitlines()[-2:]
    assert begin == (
        "riseml: failed with exit code 3; held for 600 seconds (`hold_on_failure`):"
        " `riseml shell 14.train` gets in, `riseml release 14.train` releases it"
    )
    assert end.startswith("riseml: the hold has ended after ")
    assert end.endswith(" seconds: it was released")
    assert (job.own / "held").read_text().isdigit()


@shells
def test_a_signal_ends_a_hold_with_the_status_of_the_failure(
    job: Job, shell: str
) -> None:
    with start(job, shell, "exit 3") as process:
        file = until_held(job)
        begun = time.monotonic()
        process.send_signal(signal.SIGTERM)
        output = process.communicate(timeout=PATIENCE)[0]
    assert time.monotonic() - begun < 10
    assert process.returncode == 3
    assert output.splitlines()[-1].endswith(" seconds: it was stopped")
    assert not file.exists()


@shells
def test_a_hold_ends_when_its_time_is_over(job: Job, shell: str) -> None:
    job.env["RISEML_HOLD"] = "1"
    with start(job, shell, "exit 3") as process:
        output = process.communicate(timeout=PATIENCE)[0]
    assert process.returncode == 3
    assert output.splitlines()[-1].endswith(" seconds: the time is over")


@shells
def test_a_job_that_was_stopped_is_not_held(job: Job, shell: str) -> None:
    with start(job, shell, "echo up > up; exec sleep 100") as process:
        limit = time.monotonic() + PATIENCE
        while not (job.code / "up").exists():
            assert time.monotonic() < limit
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE)
    assert process.returncode == 143
    assert not (job.own / "held").exists()


@shells
def test_lines_that_run_too_long_are_stopped_and_held(job: Job, shell: str) -> None:
    job.env["RISEML_TIMEOUT"] = "1"
    line = "trap 'echo saved; exit 0' TERM; sleep 100 & wait"
    with start(job, shell, line) as process:
        file = until_held(job)
        file.unlink()
        output = process.communicate(timeout=PATIENCE)[0]
    assert process.returncode == 124
    assert "riseml: stopped after 1 seconds, the timeout of this job" in output
    assert "saved" in output
    assert (job.own / "held").read_text().endswith(" timeout")


@shells
def test_lines_that_end_in_time_leave_nothing_of_the_timeout(
    job: Job, shell: str
) -> None:
    job.env["RISEML_TIMEOUT"] = "600"
    with start(job, shell, "echo fine") as process:
        # The output ends only when its last writer has ended.
        output = process.communicate(timeout=PATIENCE)[0]
    assert process.returncode == 0
    assert "fine" in output
    assert not (job.own / "held").exists()
