"""Timeout of the lines in the run script, in the shells that images have."""

import shutil
from pathlib import Path

import pytest

from riseml.compiler import pod
from tests.unit.script_shells import shells
from tests.unit.templates.container_job import Job

PATIENCE = 30.0
SCRIPT = pod.script(times_out=True)


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(tmp_path)


@shells
def test_lines_that_run_too_long_are_stopped(job: Job, shell: str) -> None:
    job.env["RISEML_TIMEOUT"] = "1"
    line = "trap 'echo saved; exit 0' TERM; sleep 100 & wait"
    status, output = job.run(line, shell=shell, script=SCRIPT)
    assert status == 124
    assert "riseml: stopped after 1 seconds, the timeout of this job" in output
    assert "saved" in output
    assert (job.own / "timeout").read_text() == "1"


@shells
def test_lines_that_end_in_time_leave_nothing_of_the_timeout(
    job: Job, shell: str
) -> None:
    job.env["RISEML_TIMEOUT"] = "600"
    # The output ends only when its last writer has ended.
    status, output = job.run("echo fine; exit 7", shell=shell, script=SCRIPT)
    assert status == 7
    assert "fine" in output
    assert not (job.own / "timeout").exists()


@shells
def test_a_watcher_that_starts_late_ends_with_the_lines(job: Job, shell: str) -> None:
    """On a busy machine, lines may end before the watcher can be told."""
    job.env |= {"RISEML_TIMEOUT": "600", "RISEML_LOGGED": "1"}
    begin = "riseml_watch_time() {\n"
    assert SCRIPT.count(begin) == 1
    late = SCRIPT.replace(begin, f"{begin}trap '' TERM; sleep 1\n")
    with job.start("echo fine", shell=shell, script=late) as process:
        # The output ends only when its last writer has ended.
        assert process.communicate(timeout=PATIENCE)[0] == "fine\n"
        assert process.returncode == 0


@shells
def test_only_the_lines_count(job: Job, shell: str) -> None:
    job.env["RISEML_TIMEOUT"] = "1"
    tools = job.code.parent / "tools"
    tools.mkdir()
    # Keeping the files of the working directory takes longer than the timeout.
    (tools / "find").write_text("#!/bin/sh\nsleep 1.5\n")
    (tools / "find").chmod(0o755)
    job.env["PATH"] = f"{tools}:{job.env['PATH']}"
    status, output = job.run("echo fine", shell=shell, script=SCRIPT)
    assert status == 0
    assert "timeout" not in output
    assert not (job.own / "timeout").exists()


@shells
def test_a_sleep_that_fails_is_no_timeout(job: Job, shell: str) -> None:
    job.env["RISEML_TIMEOUT"] = "600"
    tools = job.code.parent / "tools"
    tools.mkdir()
    sleep = shutil.which("sleep")
    script = f"#!/bin/sh\n[ $1 != 600 ] || exit 127\nexec {sleep} $1\n"
    (tools / "sleep").write_text(script)
    (tools / "sleep").chmod(0o755)
    job.env["PATH"] = f"{tools}:{job.env['PATH']}"
    status, output = job.run("sleep 1; echo fine", shell=shell, script=SCRIPT)
    assert status == 0
    assert "fine" in output
    assert not (job.own / "timeout").exists()
    # The busybox of a distribution may have its own sleep.
    assert shell == "busybox" or "there is no sleep in this image" in output


@shells
def test_a_process_that_ignores_the_signal_is_given_time(job: Job, shell: str) -> None:
    job.env["RISEML_TIMEOUT"] = "1"
    # It continues after its shell has exited.
    line = "(trap '' TERM; sleep 2; echo late > late) & exec sleep 100"
    status, _ = job.run(line, shell=shell, script=SCRIPT)
    assert status == 124
