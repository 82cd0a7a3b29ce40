"""Stop of lines whose GPUs are idle, in the shells that images have."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from riseml.compiler import pod
from tests.gpu_programs import CARD, FakeCard
from tests.unit.script_shells import SHELLS, link_programs, shells
from tests.unit.templates.container_job import Job

PATIENCE = 30.0
SAVES = "trap 'echo saved; exit 0' TERM; touch $OUTPUT_DIR/ready; while :; do sleep 0.1; done"


@pytest.fixture
def job(tmp_path: Path) -> Job:
    job = Job(tmp_path)
    card = FakeCard(tmp_path, os.environ["PATH"])
    job.env |= {
        "RISEML_GPU_IDLE": "2 whole",
        "RISEML_LOGGED": "1",
        "RISEML_JOB_KEY": "home:1:node",
        "CUDA_VISIBLE_DEVICES": CARD,
        "PATH": card.path,
    }
    return job


def run(job: Job, shell: str, line: str, *, gang: bool = False) -> tuple[int, str]:
    """Run a line of a job with GPUs, and return the exit status and the output."""
    return job.run(line, shell=shell, script=pod.script(has_gpus=True, gang=gang))


@shells
def test_idle_lines_are_stopped_and_have_time_to_save(job: Job, shell: str) -> None:
    status, output = run(job, shell, SAVES)
    assert status == 79
    # The shell of the line may say that its `sleep` was terminated.
    assert output.splitlines()[-2:] == [
        "saved",
        "riseml: stopped because its GPUs were idle for 2 seconds (`idle_timeout`)",
    ]
    assert (job.own / "idle").read_text() == "2"
    assert not list(job.output.glob(".riseml/idle.*"))


@shells
def test_lines_that_end_in_time_keep_their_status(job: Job, shell: str) -> None:
    assert run(job, shell, "exit 7") == (7, "")
    assert not (job.own / "idle").exists()


@shells
def test_a_job_is_marked_before_it_is_stopped_and_without_a_timeout_never_stopped(
    job: Job, shell: str
) -> None:
    job.env["RISEML_GPU_IDLE"] = "4 whole"
    line = (
        "until [ -e $OUTPUT_DIR/.riseml/idle.train.0 ]; do sleep 0.05; done; "
        "cat $OUTPUT_DIR/.riseml/idle.train.0"
    )
    assert run(job, shell, line) == (0, '{"idle": 2}\n')
    assert not list(job.output.glob(".riseml/idle.*"))


@shells
def test_an_attempt_of_a_gang_that_follows_an_idle_one_ends_at_once(
    job: Job, shell: str, tmp_path: Path
) -> None:
    job.env |= {
        "RISEML_GANG": "train=127.0.0.1:1",
        "RISEML_GANG_TIMEOUT": "30",
        "RISEML_MEETING": str(job.output / ".riseml/gang/uid.0"),
    }
    assert run(job, shell, "sleep 600", gang=True)[0] == 79
    (job.own / "idle").unlink()
    job.env["RISEML_MEETING"] = str(job.output / ".riseml/gang/uid.1")
    assert run(job, shell, "echo runs", gang=True) == (
        79,
        "riseml: train exits: the attempt before was stopped because its GPUs were idle\n",
    )
    assert (job.own / "idle").read_text() == "2"
    # `riseml retry` makes another Workflow.
    job.env["RISEML_MEETING"] = str(job.output / ".riseml/gang/other.0")
    assert run(job, shell, "echo runs", gang=True) == (0, "runs\n")


@shells
def test_nothing_is_left_of_the_watcher(job: Job, shell: str) -> None:
    begin = time.monotonic()
    run(job, shell, "sleep 1")
    own_file = str(job.own / "idle.py").encode()
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            assert own_file not in process.read_bytes()
        except OSError:
            continue
    assert time.monotonic() - begin < PATIENCE


@shells
def test_without_python_the_log_says_that_nothing_stops_the_job(
    job: Job, shell: str, tmp_path: Path
) -> None:
    programs = tmp_path / "tools"
    names = "sleep mkdir rm cat setsid sh date tail wc"
    link_programs(programs, *names.split(), SHELLS[shell][0])
    job.env["PATH"] = str(programs)
    script = pod.script(has_gpus=True)
    arguments = [script, "riseml", pod.functions(), "echo done"]
    ended = subprocess.run(
        [*SHELLS[shell], "-c", *arguments],
        cwd=job.code,
        env=job.env,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (0, "done\n")
    assert "no Python in this image, so idle_timeout does not stop" in ended.stderr
