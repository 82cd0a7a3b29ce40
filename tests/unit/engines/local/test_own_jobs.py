"""Recognition of a home's own jobs."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from riseml.engines.local import own_jobs


def test_a_home_keeps_its_identity(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    assert own_jobs.identity(first) == ""
    first.mkdir()
    second.mkdir()
    assert len(own_jobs.identity(first)) == 12
    assert own_jobs.identity(first) == own_jobs.identity(tmp_path / "." / "first")
    assert own_jobs.identity(first) != own_jobs.identity(second)


@contextmanager
def process(script: str, **environment: str) -> Iterator[int]:
    """Run a shell script that prints a pid and then waits for its input to end."""
    with subprocess.Popen(
        ["/bin/sh", "-c", script],
        env={"PATH": os.environ["PATH"], **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as program:
        assert program.stdout is not None
        yield int(program.stdout.readline())


def test_a_process_belongs_to_a_job() -> None:
    with process("echo $$; read line", RISEML_JOB_KEY="abc:14:node") as pid:
        assert own_jobs.is_job(pid, "abc")
        assert not own_jobs.is_job(pid, "ab")
        assert not own_jobs.is_job(pid, "")


def test_a_child_may_have_another_environment() -> None:
    script = "env -i sh -c 'echo $$; read line'; :"
    with process(script, RISEML_JOB_KEY="abc:14:node") as pid:
        assert own_jobs.is_job(pid, "abc")


def test_other_processes_belong_to_no_job() -> None:
    with process("echo $$; read line") as pid:
        assert not own_jobs.is_job(pid, "abc")
    assert not own_jobs.is_job(1 << 22, "abc")


def test_a_command_in_a_job_may_use_all_gpus() -> None:
    environment = {"RISEML_JOB_KEY": "abc:1:n", "CUDA_VISIBLE_DEVICES": "", "A": "b"}
    own = own_jobs.own_choice(environment, "abc")
    assert own == {"RISEML_JOB_KEY": "abc:1:n", "A": "b"}
    assert own_jobs.own_choice(environment, "another") == environment
    chosen = {"CUDA_VISIBLE_DEVICES": "1"}
    assert own_jobs.own_choice(chosen, "abc") == chosen
