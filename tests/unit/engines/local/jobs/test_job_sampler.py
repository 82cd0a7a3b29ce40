"""Samples of jobs from a tree of processes with exact values."""

from pathlib import Path

import pytest

from riseml.engines.local.jobs.job_sampler import JobSampler
from tests.unit.engines.local.jobs.process_tree import ProcessTree

MIB = 1 << 20


@pytest.fixture
def tree(tmp_path: Path) -> ProcessTree:
    return ProcessTree(tmp_path / "proc")


class Clock:
    """Clock that a test sets; measured work takes `cost` seconds."""

    def __init__(self) -> None:
        self.now = self.work = self.cost = 0.0

    def time(self) -> float:
        return self.now

    def stopwatch(self) -> float:
        self.work += self.cost
        return self.work


def sampler_of(tree: ProcessTree, clock: Clock | None = None) -> JobSampler:
    clock = clock or Clock()
    return JobSampler(str(tree.root), clock.time, clock.stopwatch)


def test_a_job_has_all_descendants_of_its_supervisor(tree: ProcessTree) -> None:
    tree.add(10, 1, key="a", rss=MIB, own_cpu=1, child_cpu=2)
    tree.add(11, 10, key="a", rss=4 * MIB, own_cpu=3)
    # It has changed its environment.
    tree.add(12, 11, rss=2 * MIB, own_cpu=4)
    tree.add(20, 1, key="b", rss=8 * MIB, own_cpu=5)
    tree.add(30, 1, rss=64 * MIB, own_cpu=100)
    samples = sampler_of(tree).sample({"a": 10, "b": 20})
    assert samples["a"].pids == {10, 11, 12}
    assert (samples["a"].cpu_seconds, samples["a"].mem) == (10.0, 7 * MIB)
    assert samples["a"].is_measured
    assert (samples["b"].cpu_seconds, samples["b"].mem) == (5.0, 8 * MIB)


def test_processes_in_containers_are_found_by_their_key(tree: ProcessTree) -> None:
    tree.add(10, 1, key="a", rss=MIB)
    tree.add(50, 1, key="a", rss=4 * MIB)
    assert sampler_of(tree).sample({"a": 10})["a"].pids == {10, 50}


def test_jobs_that_a_job_starts_are_not_its_own(tree: ProcessTree) -> None:
    tree.add(10, 1, key="a", rss=MIB)
    tree.add(11, 10, key="", rss=MIB)
    tree.add(12, 11, key="inner", rss=MIB)
    assert sampler_of(tree).sample({"a": 10})["a"].pids == {10}


def test_a_process_gets_its_key_some_time_after_its_fork(tree: ProcessTree) -> None:
    tree.add(10, 1, key="a", rss=MIB)
    tree.add(50, 1, rss=MIB)
    sampler = sampler_of(tree)
    assert sampler.sample({"a": 10})["a"].pids == {10}
    tree.set_environment(50, {"RISEML_JOB_KEY": "a"})
    assert sampler.sample({"a": 10})["a"].pids == {10, 50}


def test_memory_that_workers_share_counts_once(tree: ProcessTree) -> None:
    tree.add(10, 1, key="a", rss=MIB, pss=MIB)
    for pid in (11, 12, 13, 14):
        tree.add(pid, 10, key="a", rss=400 * MIB, pss=101 * MIB)
    sample = sampler_of(tree).sample({"a": 10})["a"]
    assert sample.mem == pytest.approx(405 * MIB, abs=2)
    assert (sample.is_measured, sample.largest) == (True, 400 * MIB)


def test_a_walk_of_all_pages_takes_one_percent_of_a_core(tree: ProcessTree) -> None:
    clock = Clock()
    clock.cost = 0.02
    sampler = sampler_of(tree, clock)
    tree.add(11, 1, key="a", rss=400 * MIB, pss=300 * MIB)
    tree.add(12, 11, key="a", rss=400 * MIB, pss=300 * MIB)
    assert sampler.sample({"a": 11})["a"].mem == 600 * MIB
    # The ratio stays, and the size changes. Nobody knows whether that is right.
    tree.add(12, 11, key="a", rss=200 * MIB, pss=150 * MIB)
    clock.now = 1.9
    sample = sampler.sample({"a": 11})["a"]
    assert (sample.mem, sample.is_measured) == (450 * MIB, False)
    assert sample.least_mem == 400 * MIB
    clock.now = 2.0
    assert sampler.sample({"a": 11})["a"].is_measured


def test_programs_that_cannot_be_asked_count_in_full(tree: ProcessTree) -> None:
    tree.add(11, 1, key="a", rss=400 * MIB, pss=200 * MIB)
    tree.add(12, 11, key="a", rss=100 * MIB)
    assert sampler_of(tree).sample({"a": 11})["a"].mem == pytest.approx(300 * MIB, 1e-6)


def test_a_job_that_has_ended_has_no_sample(tree: ProcessTree) -> None:
    tree.add(10, 1, key="a")
    sampler = sampler_of(tree)
    assert list(sampler.sample({"a": 10, "b": 77})) == ["a"]
    tree.remove(10)
    assert sampler.sample({"a": 10}) == {}
    assert sampler.sample({}) == {}
