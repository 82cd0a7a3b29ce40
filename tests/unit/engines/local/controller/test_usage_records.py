"""What is recorded of jobs that end: exact sums of samples, and the kernel's account."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from riseml.engines.local.controller import usage_records
from riseml.engines.local.controller.usage_records import PodSample, UsageRecords
from riseml.engines.local.interpreter.events import StartPod
from riseml.engines.local.jobs.gpu_sampler import GpuSampler
from riseml.engines.local.jobs.job_sampler import JobSample
from riseml.engines.local.jobs.pid_file import UsageRecords as Accounts
from riseml.engines.local.jobs.pod import Pod
from riseml.readings import GpuUsage

MB = 1_000_000


class Jobs:
    """Sampler of jobs that returns what a test sets."""

    def __init__(self) -> None:
        self.samples: dict[str, JobSample] = {}

    def sample(self, supervisors: Mapping[str, int]) -> dict[str, JobSample]:
        return {key: self.samples[key] for key in supervisors if key in self.samples}


class Gpus:
    """Sampler of GPUs that returns what a test sets."""

    def __init__(self) -> None:
        self.usage: dict[str, tuple[GpuUsage, ...]] = {}

    def sample(
        self, owners: Mapping[str, Sequence[str]], pids: Mapping[str, object]
    ) -> dict[str, tuple[GpuUsage, ...]]:
        return {key: self.usage.get(key, ()) for key, ids in owners.items() if ids}


class Clock:
    now = 1000.0

    def time(self) -> float:
        return self.now


class Records(UsageRecords):
    """Records whose samplers and clock a test sets."""

    def __init__(self) -> None:
        self.fake_jobs, self.fake_gpus, self.fake_clock = Jobs(), Gpus(), Clock()
        jobs: Any = self.fake_jobs
        gpus: Any = self.fake_gpus
        super().__init__(jobs, gpus, self.fake_clock.time)

    def take(self, sample: JobSample, *gpus: GpuUsage, key: str = "a") -> None:
        """Let five seconds pass, and take a sample."""
        self.fake_clock.now += 5
        self.fake_jobs.samples[key] = sample
        self.fake_gpus.usage[key] = gpus
        self.sample()


def sample(
    mem: int, cpu: float = 0.0, *, largest: int = 0, exact: bool = True
) -> JobSample:
    return JobSample(frozenset({7}), cpu, mem, largest, is_measured=exact)


@pytest.fixture
def pod(tmp_path: Path) -> Pod:
    (tmp_path / "pid").write_text("7 100 boot 1000.000000\nbegun\n")
    action = StartPod("n", "n", 0, {})
    return Pod("a", "n", "1", ((), "main"), {}, tmp_path, tmp_path / "log", action, "")


@pytest.fixture
def records(pod: Pod) -> Records:
    made = Records()
    pod.pid = 7
    made.begin(pod)
    return made


def account(pod: Pod, cpu_seconds: float, kilobytes: int) -> None:
    """Record what the kernel says at the end."""
    values = {"ru_utime": cpu_seconds, "ru_stime": 0.5, "ru_maxrss": kilobytes}
    used: Any = SimpleNamespace(**values)
    accounts = Accounts()
    accounts.expect(7, os.fsencode(pod.directory))
    accounts.record(7, used)


def test_samples_and_the_account_add_up(records: Records, pod: Pod) -> None:
    records.take(sample(300 * MB, 4.0))
    records.take(sample(100 * MB, 8.0))
    account(pod, 9.5, 200_000)
    records.fake_clock.now = 1020.0
    assert json.loads(records.end(pod)) == {"mem_peak": 300 * MB, "cpu_mean": 0.5}


def test_a_short_job_has_the_account_alone(records: Records, pod: Pod) -> None:
    account(pod, 0.5, 2000)
    records.fake_clock.now = 1002.0
    assert json.loads(records.end(pod)) == {"mem_peak": 2_048_000, "cpu_mean": 0.5}


def test_without_an_account_the_samples_remain(records: Records, pod: Pod) -> None:
    records.take(sample(300 * MB, 4.0))
    records.fake_clock.now = 1010.0
    assert json.loads(records.end(pod)) == {"mem_peak": 300 * MB, "cpu_mean": 0.4}


def test_a_container_does_not_have_the_account_of_its_program(
    records: Records, pod: Pod
) -> None:
    (pod.directory / "container.json").write_text("{}")
    records.take(sample(30 * MB, 1.0))
    account(pod, 9.5, 64_000)
    records.fake_clock.now = 1010.0
    assert json.loads(records.end(pod)) == {"mem_peak": 30 * MB, "cpu_mean": 0.1}


def test_an_estimate_is_no_peak(records: Records, pod: Pod) -> None:
    records.take(sample(300 * MB, largest=50 * MB))
    records.take(sample(900 * MB, largest=400 * MB, exact=False))
    assert json.loads(records.end(pod))["mem_peak"] == 400 * MB


def test_gpus_have_a_mean_and_a_peak(
    records: Records, pod: Pod, tmp_path: Path
) -> None:
    (tmp_path / "gpus").write_text("GPU-1,GPU-2")
    records.begin(pod)
    for util, mem in ((0.2, 3), (0.8, 9), (0.5, 6)):
        first = GpuUsage("GPU-1", 0, job_util=util, job_mem=mem * MB)
        second = GpuUsage("GPU-2", 1, job_util=0.1, job_mem=MB)
        records.take(sample(MB), first, second)
    recorded = json.loads(records.end(pod))
    assert recorded["gpu_util_mean"] == 0.6
    assert recorded["gpu_util_peak"] == 0.9
    assert recorded["gpu_mem_peak"] == 10 * MB


def test_a_later_controller_continues(records: Records, pod: Pod) -> None:
    records.take(sample(300 * MB, 4.0))
    later = Records()
    later.fake_clock.now = records.fake_clock.now
    later.begin(pod)
    later.take(sample(200 * MB, 6.0))
    later.fake_clock.now = 1020.0
    assert json.loads(later.end(pod)) == {"mem_peak": 300 * MB, "cpu_mean": 0.3}


def test_samples_are_five_seconds_apart(records: Records) -> None:
    taken: list[Mapping[str, PodSample]] = []
    records.observers.append(taken.append)
    records.take(sample(MB))
    records.fake_clock.now += usage_records.SAMPLE_SECONDS - 0.1
    records.sample()
    assert [list(samples) for samples in taken] == [["a"]]
    assert taken[0]["a"].processes.mem == MB
    # The clock was set back.
    records.fake_clock.now = 0
    records.sample()
    assert len(taken) == 2


def test_a_pod_that_is_gone_has_no_sample(records: Records, pod: Pod) -> None:
    records.take(sample(MB))
    assert records.end(pod)
    records.take(sample(MB))
    (pod.directory / "pid").unlink()
    assert records.end(pod) == ""


def test_a_job_reaped_before_its_directory_is_known_has_an_account(pod: Pod) -> None:
    used: Any = SimpleNamespace(ru_utime=1.0, ru_stime=0.0, ru_maxrss=4)
    accounts = Accounts()
    accounts.record(8, used)
    accounts.record(7, used)
    accounts.expect(7, os.fsencode(pod.directory))
    text = (pod.directory / "pid").read_text()
    assert text.endswith("begun\nusage 1.000 4096\n")


def test_no_driver_is_asked_without_gpus() -> None:
    class Broken:
        def readings(self, gpus: object) -> Any:
            raise AssertionError

        processes = samples = readings

    drivers: Any = Broken()
    assert GpuSampler(drivers).sample({"a": ()}, {}) == {}
