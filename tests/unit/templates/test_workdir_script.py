"""Files that a pod's lines create or change reach the output volume, in the shells that images have."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from riseml import templating
from tests.unit.script_shells import SHELLS, shells
from tests.unit.templates.container_job import Job

pytestmark = shells

WRITER = """
echo new > made; echo changed >> old; mkdir -p runs/a __pycache__ .git empty
echo e > runs/a/events; echo x > __pycache__/x; echo x > .git/x
echo odd > 'odd  name'; echo odd > "$(printf 'two\\nlines')"; echo dash > -n
ln -s /nowhere link; mkfifo pipe
"""
KEPT = ["-n", "link", "made", "odd  name", "old", "runs/a/events", "two\nlines"]


@pytest.fixture
def job(tmp_path: Path) -> Job:
    job = Job(tmp_path)
    (job.code / "old").write_text("old ")
    (job.code / "untouched").write_text("")
    (job.own / "started").write_text("")
    return job


def kept(folder: Path) -> list[str]:
    """Return the files and links of a folder, by their names."""
    paths = [path for path in folder.rglob("*") if path.is_symlink() or path.is_file()]
    return sorted(str(path.relative_to(folder)) for path in paths)


def note(job: Job) -> str:
    return (job.own / "workdir").read_text()


@pytest.mark.parametrize("end", ["true", "exit 3", "sh -c 'kill -9 $PPID'"])
def test_what_lines_create_or_change_is_kept(job: Job, shell: str, end: str) -> None:
    job.run(WRITER, end, shell=shell)
    folder = job.output / "workdir"
    assert kept(folder) == KEPT
    assert (folder / "old").read_text() == "old changed\n"
    assert (folder / "link").is_symlink()
    assert not (folder / "empty").exists()
    # A name of two lines counts as a file, but cannot be named in one line.
    assert note(job) == "7 files, 39 bytes, in workdir/"
    manifest = job.output / ".riseml" / "workdir.train.0"
    assert manifest.read_text() == note(job)


def test_nothing_is_left_if_nothing_changed(job: Job, shell: str) -> None:
    assert job.run("cat old", shell=shell)[0] == 0
    assert not (job.output / "workdir").exists()
    assert not (job.own / "workdir").exists()


def test_a_killed_job_keeps_its_files(job: Job, shell: str) -> None:
    with job.start(
        "echo new > made; echo up; while :; do sleep 0.1; done", shell=shell
    ) as process:
        assert process.stdout
        while "up" not in process.stdout.readline():
            pass
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 143
    assert kept(job.output / "workdir") == ["made"]
    assert note(job) == "1 file, 4 bytes, in workdir/"


def test_the_largest_files_are_left_out(job: Job, shell: str) -> None:
    job.env["RISEML_WORKDIR_LIMIT"] = "2500"
    sizes = {"huge": 9000, "big": 3000, "same": 1000, "equal": 1000, "more": 1000}
    lines = [f"printf '%0{size}d' 1 > {name}" for name, size in sizes.items()]
    job.run(*lines, "echo small > small", shell=shell)
    # Files of one size are kept together or not at all.
    assert kept(job.output / "workdir") == ["small"]
    text, _, rest = note(job).partition(": ")
    assert text == (
        "1 file, 6 bytes, in workdir/; not kept, over the workdir_limit of 2.5 kB"
    )
    assert rest.startswith("huge (9 kB), big (3 kB), ")
    assert rest.endswith(" (1 kB) and 2 more")


def test_an_earlier_attempt_is_set_aside(job: Job, shell: str) -> None:
    job.run("echo first > made", shell=shell)
    job.env["RISEML_ATTEMPT"] = "1"
    job.run("echo second > made", shell=shell)
    texts = {
        path.name: (path / "made").read_text() for path in job.output.glob("workdir*")
    }
    assert texts == {"workdir": "second\n", "workdir.1": "first\n"}


def test_code_that_was_placed_in_the_image_is_not_new(job: Job, shell: str) -> None:
    (job.own / "code").mkdir()
    (job.own / "code" / "mine").write_text("mine")
    job.run("echo new > made", shell=shell)
    assert kept(job.output / "workdir") == ["made"]


def test_many_files_are_copied_in_few_calls(job: Job, shell: str) -> None:
    count = 2500
    line = f"i=0; mkdir a; while [ $i -lt {count} ]; do : > a/$i; i=$((i + 1)); done"
    assert job.run(line, shell=shell)[0] == 0
    assert len(kept(job.output / "workdir")) == count
    assert note(job) == f"{count} files, 0 bytes, in workdir/"


def test_a_build_keeps_nothing_of_the_root_directory(
    tmp_path: Path, shell: str
) -> None:
    # If something looked for changed files there, this would tell.
    programs, calls = tmp_path / "programs", tmp_path / "calls"
    programs.mkdir()
    (programs / "find").write_text(f'#!/bin/sh\necho "$*" >> {calls}\n')
    (programs / "find").chmod(0o755)
    script = (
        f"PATH={programs}:$PATH\n{templating.read('workdir.sh')}\n"
        "cd / && riseml_mark_workdir && riseml_keep_workdir\n"
    )
    env = {**os.environ, "OUTPUT_DIR": str(tmp_path), "RISEML_DIR": str(tmp_path)}
    subprocess.run([*SHELLS[shell], "-ec", script], env=env, check=True)
    lines = calls.read_text().splitlines() if calls.exists() else []
    assert [line for line in lines if not line.startswith(str(tmp_path))] == []
