"""What ended jobs used, in `riseml status ID -o wide`."""

from dataclasses import replace

import pytest

from riseml.cli import job_usage
from riseml.status import State
from riseml.usage import Usage
from tests.cli.conftest import Riseml
from tests.cli.fake_engine import FakeEngine, grid

MB = 1_000_000


@pytest.fixture(autouse=True)
def _runs(engine: FakeEngine) -> None:
    run = grid(14, [State.FINISHED, State.RUNNING])
    ended, running = run.experiments
    usage = Usage(mem_peak=218 * MB, cpu_mean=0.5)
    job = replace(ended.jobs[0], usage=usage)
    engine.runs = [replace(run, experiments=(replace(ended, jobs=(job,)), running))]


def test_a_set_shows_what_its_experiments_used(riseml: Riseml) -> None:
    lines = riseml("status", "14", "-o", "wide").out.splitlines()
    (titles,) = [line for line in lines if line.startswith("EXP ID")]
    assert titles.endswith("MEAN CPU PEAK MEM")
    ended, running = lines[lines.index(titles) + 1 :][:2]
    assert ended.endswith(" 0.50     218 MB")
    assert running.startswith("14.2 ")
    assert not running.endswith("MB")
    assert "PEAK MEM" not in riseml("status", "14").out


def test_an_experiment_has_the_highest_value_of_its_jobs() -> None:
    job = grid(14, [State.FINISHED]).experiments[0].jobs[0]
    usages = [
        Usage(mem_peak=10 * MB, cpu_mean=1.5),
        Usage(mem_peak=20 * MB, gpu_mem_peak=0),
        None,
    ]
    jobs = [replace(job, usage=usage) for usage in usages]
    assert job_usage.of_experiment(jobs) == Usage(
        mem_peak=20 * MB, cpu_mean=1.5, gpu_mem_peak=0
    )
    assert job_usage.of_experiment([]) == Usage()
