"""What a pod's container has used is recorded from its control group, in the shells that images have."""

import json
from pathlib import Path

import pytest

from tests.unit.script_shells import shells
from tests.unit.templates.container_job import Job, without_note

pytestmark = shells

VERSION_2 = {
    "memory.current": "500\n",
    "memory.peak": "900\n",
    "memory.stat": "anon 300\nfile 200\ninactive_file 120\nshmem 0\n",
    "cpu.stat": "usage_usec 2500000\nuser_usec 2000000\n",
}
VERSION_1 = {
    "memory/memory.usage_in_bytes": "700\n",
    "memory/memory.max_usage_in_bytes": "800\n",
    "memory/memory.stat": "cache 1\ninactive_file 1\ntotal_inactive_file 100\n",
    "cpuacct/cpuacct.usage": "2500000000\n",
}
# The log is looked at after a moment, and the memory with it.
SLEEP = "sleep 1"


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(tmp_path)


def use_group(job: Job, folder: Path, files: dict[str, str]) -> None:
    """Let the job read these files as those of its control group."""
    job.env["RISEML_CGROUP"] = str(folder / "group")
    for name, text in files.items():
        file = folder / "group" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


@pytest.mark.parametrize(
    ("files", "mem"), [(VERSION_2, 380), (VERSION_1, 600)], ids=["v2", "v1"]
)
def test_samples_leave_out_what_the_kernel_can_drop(
    job: Job, shell: str, tmp_path: Path, files: dict[str, str], mem: int
) -> None:
    use_group(job, tmp_path, files)
    assert job.run(SLEEP, shell=shell)[0] == 0
    usage = json.loads((job.own / "usage").read_text())
    assert usage["mem_peak"] == mem
    # 2.5 seconds of CPU time within little more than a second
    assert 0.05 < usage["cpu_mean"] <= 2.5


def test_without_a_sample_the_peak_of_the_group_counts(
    job: Job, shell: str, tmp_path: Path
) -> None:
    files = {name: VERSION_2[name] for name in ("memory.peak", "cpu.stat")}
    use_group(job, tmp_path, files)
    assert job.run("exit 0", shell=shell)[0] == 0
    assert json.loads((job.own / "usage").read_text())["mem_peak"] == 900


def test_a_failed_job_has_a_record_too(job: Job, shell: str, tmp_path: Path) -> None:
    use_group(job, tmp_path, VERSION_2)
    assert job.run(SLEEP, "exit 3", shell=shell)[0] == 3
    assert json.loads((job.own / "usage").read_text())["mem_peak"] == 380


def test_without_a_group_nothing_is_recorded(
    job: Job, shell: str, tmp_path: Path
) -> None:
    use_group(job, tmp_path, {})
    code, output = job.run("true", shell=shell)
    assert (code, without_note(output)) == (0, "")
    assert not (job.own / "usage").exists()
