"""Output of a pod's job whose secrets are masked, in images with and without Python."""

import json
import subprocess
import time
from pathlib import Path

import pytest

from riseml.compiler import pod
from tests.unit.script_shells import SHELLS, link_programs, shells
from tests.unit.templates.container_job import Job

TOKEN = "tok-7f3a9c"
KEY = "-----BEGIN KEY-----\n{\nMIIEvQIBADANBgkq\n}"
# What the run script needs of an image.
TOOLS = (
    "cat cp date find grep id mkdir mkfifo mv rm sleep sort stat tail tee wc".split()
)


@pytest.fixture
def job(tmp_path: Path) -> Job:
    job = Job(tmp_path)
    job.env.update(RISEML_SECRETS="TOKEN KEY LONGER EMPTY", TOKEN=TOKEN, KEY=KEY)
    job.env.update(LONGER=f"{TOKEN}-and-more", EMPTY="")
    return job


def start(job: Job, shell: str, *lines: str) -> "subprocess.Popen[str]":
    return job.start(*lines, shell=shell, script=pod.script(masks=True))


def remove_python(job: Job, folder: Path) -> None:
    """Give the job a PATH without Python."""
    link_programs(folder, *TOOLS, *SHELLS, "setsid", "sh")
    job.env["PATH"] = str(folder)


@shells
@pytest.mark.parametrize("has_python", [True, False])
def test_both_copies_show_no_value(
    shell: str, job: Job, tmp_path: Path, *, has_python: bool
) -> None:
    if not has_python:
        remove_python(job, tmp_path / "tools")
    lines = [
        'echo "one $TOKEN"; printf "two tok-"; sleep 0.05; printf "7f3a9c\\n"',
        'echo "$KEY" >&2; echo "$LONGER * \\ \' $TOKEN$TOKEN"',
        'printf "}\\n end $TOKEN"',
    ]
    with start(job, shell, *lines) as process:
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    key = "***" if has_python else "***\n{\n***\n}"
    expected = f"one ***\ntwo ***\n{key}\n*** * \\ ' ******\n}}\n end ***"
    assert output.removesuffix("\n") == expected
    assert job.log.read_text() == output
    assert Path(f"{job.log}.times").exists()


@shells
def test_an_unfinished_line_appears_while_the_job_waits(shell: str, job: Job) -> None:
    ready = job.code / "ready"
    line = (
        "printf 'a prompt: tok'; until [ -e ready ]; do sleep 0.02; done; echo -7f3a9c"
    )
    with start(job, shell, line) as process:
        end = time.monotonic() + 30
        while not job.log.exists() or job.log.read_text() != "a prompt: tok":
            assert time.monotonic() < end
            time.sleep(0.02)
        ready.touch()
        assert process.communicate()[0] == "a prompt: tok***\n"


@pytest.mark.parametrize("has_python", [True, False])
def test_results_written_by_hand_are_masked_at_the_end(
    job: Job, tmp_path: Path, *, has_python: bool
) -> None:
    if not has_python:
        remove_python(job, tmp_path / "tools")
    job.results.parent.mkdir()
    line = r'echo "{\"loss\": 1}" >> $RESULT_FILE; echo "{\"url\": \"$TOKEN\"}" >> $RESULT_FILE'
    with start(job, "bash", line) as process:
        assert process.wait(60) == 0
    lines = [json.loads(line) for line in job.results.read_text().splitlines()]
    assert lines == [{"loss": 1}, {"url": "***"}]
    assert json.loads((job.own / "result").read_text()) == {"url": "***"}
    assert [path.name for path in job.results.parent.iterdir()].count(
        "results.jsonl"
    ) == 1


def test_a_job_whose_output_cannot_be_masked_does_not_start(job: Job) -> None:
    job.log.parent.mkdir(parents=True)
    job.log.mkdir()
    with start(job, "bash", "echo $TOKEN") as process:
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 73
    assert "so secrets cannot be masked" in output
    assert TOKEN not in output
