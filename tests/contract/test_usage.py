"""Contract of `usage`: hours of attempts, disk space of runs, and what `prune` would free."""

from datetime import timedelta

import pytest

from riseml.client.client import Client
from riseml.ids import Id
from riseml.status import State
from tests.contract.bench import Bench


def test_hours_and_outputs_of_runs(bench: Bench) -> None:
    run = bench.run(
        """
        parameters: {n: [1, 2]}
        concurrency: 2
        resources: {cpus: 0.02, mem: 64}
        run: |
          head -c {{n}}000000 /dev/urandom > $OUTPUT_DIR/model
          ln $OUTPUT_DIR/model $OUTPUT_DIR/best
          sleep 2
        """
    )
    assert run.state is State.FINISHED
    client = Client(engine=bench.engine)
    report = client.usage(project=bench.project)
    (used,) = [item for item in report.runs if item.id == run.id]
    # Two jobs of two seconds; times on a cluster are whole seconds.
    seconds = used.cpu_hours * 3600 / 0.02
    assert 2 <= seconds <= 60
    assert used.gpu_hours == 0
    assert 3_000_000 <= used.outputs < 3_500_000
    assert report.prunable is None
    (project,) = report.projects
    assert project.runs == len(report.runs)
    assert project.code > 0


def test_a_running_job_counts_until_now(bench: Bench) -> None:
    number = bench.train("run: sleep 600").number
    client = Client(engine=bench.engine)

    def hours() -> float:
        report = client.usage(project=bench.project)
        return next(run.cpu_hours for run in report.runs if run.id == str(number))

    bench.until(lambda: hours() > 0, "its time counts")
    first = hours()
    bench.until(lambda: hours() > first, "it counts on")
    bench.engine.stop(Id(number=number), force=True)
    bench.wait(number)


@pytest.mark.timeout(120)
def test_what_prune_would_free_is_what_it_frees(bench: Bench) -> None:
    if bench.engine.name == "argo":
        pytest.skip("other tests have runs in the same namespace")
    bench.run("run: head -c 3000000 /dev/urandom > $OUTPUT_DIR/model")
    client = Client(engine=bench.engine)
    age = timedelta(0)
    before = client.usage(older_than=age)
    assert before.prunable is not None
    assert before.prunable.disk.outputs >= 3_000_000
    client.prune(age)
    after = client.usage(older_than=age)
    freed = before.disk.outputs - after.disk.outputs
    assert freed == before.prunable.disk.outputs
