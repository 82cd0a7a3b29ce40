"""GPUs of jobs, sampled from drivers with exact values."""

from collections.abc import Sequence

import pytest

from riseml.engines.local.jobs.gpu_sampler import GpuSampler
from riseml.gpus import Gpu
from riseml.gpus.records import GpuProcess, Reading, UsageSample
from riseml.readings import GpuUsage

GIB = 1 << 30
FIRST = Gpu("GPU-aaaa", 0, "H100", mem=80 * GIB, bus="0000:65:00.0")
SECOND = Gpu("GPU-bbbb", 1, "H100", mem=80 * GIB, bus="0000:66:00.0")
SLICE = Gpu("MIG-cccc", 2, "H100 MIG 1g", mem=10 * GIB)


class FakeDrivers:
    """Drivers that say what a test sets."""

    def __init__(self) -> None:
        self.values = [
            Reading("GPU-aaaa", 0.9, 0.5, 61 * GIB, 80 * GIB, 310.0, 61.0),
            Reading("GPU-bbbb", 0.67, 0.1, GIB, 80 * GIB),
            Reading("MIG-cccc", None, None, 2 * GIB, 10 * GIB),
        ]
        self.holders = [
            GpuProcess("GPU-aaaa", 11, 40 * GIB),
            GpuProcess("GPU-aaaa", 12, 20 * GIB),
            GpuProcess("GPU-aaaa", 99, GIB),
            GpuProcess("GPU-bbbb", 21, None),
        ]
        self.used: list[UsageSample] = []
        self.since: list[float] = []
        self.asked: list[list[str]] = []

    def readings(self, gpus: Sequence[Gpu]) -> list[Reading]:
        self.asked.append([gpu.id for gpu in gpus])
        return [value for value in self.values if value.gpu in self.asked[-1]]

    def processes(self, gpus: Sequence[Gpu]) -> list[GpuProcess]:
        del gpus
        return self.holders

    def samples(self, gpus: Sequence[Gpu], since: float) -> list[UsageSample]:
        del gpus
        self.since.append(since)
        return self.used


class Clock:
    now = 100.0

    def time(self) -> float:
        return self.now


@pytest.fixture
def drivers() -> FakeDrivers:
    return FakeDrivers()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sampler(drivers: FakeDrivers, clock: Clock) -> GpuSampler:
    return GpuSampler(drivers, lambda: (FIRST, SECOND, SLICE), clock.time)


def test_a_job_has_the_share_of_its_own_processes(
    sampler: GpuSampler, drivers: FakeDrivers
) -> None:
    drivers.used = [
        UsageSample("GPU-aaaa", 11, 101.0, 0.5),
        UsageSample("GPU-aaaa", 11, 102.0, 0.75),
        UsageSample("GPU-aaaa", 12, 102.0, 0.125),
        UsageSample("GPU-aaaa", 99, 102.0, 0.2),
    ]
    usages = sampler.sample(
        {"a": ("GPU-aaaa",), "b": ("GPU-bbbb",)},
        {"a": frozenset({10, 11, 12}), "b": frozenset({21})},
    )
    assert usages["a"] == (
        GpuUsage(
            "GPU-aaaa",
            0,
            "H100",
            "0000:65:00.0",
            util=0.9,
            mem=61 * GIB,
            mem_total=80 * GIB,
            power=310.0,
            temp=61.0,
            job_util=0.75,
            job_mem=60 * GIB,
        ),
    )
    # Of this card no process has told anything so far.
    (second,) = usages["b"]
    assert (second.util, second.job_util, second.job_mem) == (0.67, None, 0)


def test_a_card_that_lags_is_idle_for_a_job_that_computes_nothing(
    sampler: GpuSampler, drivers: FakeDrivers
) -> None:
    drivers.used = [UsageSample("GPU-bbbb", 21, 101.0, 0.4)]
    owners, pids = {"b": ("GPU-bbbb",)}, {"b": frozenset({21})}
    assert sampler.sample(owners, pids)["b"][0].job_util == 0.4
    drivers.used = []
    (usage,) = sampler.sample(owners, pids)["b"]
    assert (usage.util, usage.job_util) == (0.67, 0.0)


def test_jobs_that_share_a_card_have_shares_of_their_own(
    sampler: GpuSampler, drivers: FakeDrivers
) -> None:
    drivers.used = [
        UsageSample("GPU-aaaa", 11, 101.0, 0.25),
        UsageSample("GPU-aaaa", 12, 101.0, 0.5),
    ]
    usages = sampler.sample(
        {"a": ("GPU-aaaa",), "b": ("GPU-aaaa",)},
        {"a": frozenset({11}), "b": frozenset({12})},
    )
    assert (usages["a"][0].job_util, usages["a"][0].job_mem) == (0.25, 40 * GIB)
    assert (usages["b"][0].job_util, usages["b"][0].job_mem) == (0.5, 20 * GIB)
    assert drivers.asked == [["GPU-aaaa"]]


def test_each_sample_is_asked_for_once(
    sampler: GpuSampler, drivers: FakeDrivers, clock: Clock
) -> None:
    for now in (105.0, 110.0):
        clock.now = now
        sampler.sample({"a": ("GPU-aaaa",)}, {})
    assert drivers.since == [100.0, 105.0]


def test_gpus_may_be_named_in_other_ways(sampler: GpuSampler) -> None:
    usages = sampler.sample({"a": ("1", "MIG-cc", "left")}, {"a": frozenset()})
    assert [usage.id for usage in usages["a"]] == ["GPU-bbbb", "MIG-cccc", "left"]
    _, part, unknown = usages["a"]
    assert (part.util, part.mem, part.mem_total) == (None, 2 * GIB, 10 * GIB)
    assert (unknown.util, unknown.mem, unknown.mem_total) == (None, None, None)


def test_the_drivers_of_this_machine_are_asked_without_harm() -> None:
    sampler = GpuSampler(detect=lambda: (FIRST,))
    (usage,) = sampler.sample({"a": ("GPU-aaaa",)}, {"a": frozenset({1})})["a"]
    assert usage.id == "GPU-aaaa"
    sampler.close()
    assert sampler.sample({"a": ()}, {}) == {}
