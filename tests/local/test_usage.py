"""Usage of a home: real sizes, hours of real jobs, and what `prune` then really frees."""

import os
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from riseml import corrected_time
from riseml.client.client import Client
from riseml.consumption import UsageReport
from riseml.consumption.disk import measure, taken
from riseml.engines import Query
from riseml.ids import Id
from riseml.project import repository_of
from riseml.status import State
from tests.local.conftest import Lab

MB = 1_000_000
# The age of code that a run may be about to start from.
FRESH_SECONDS = 700


def usage(lab: Lab, **options: object) -> UsageReport:
    return Client(engine=lab.engine).usage(**options)  # type: ignore[arg-type]


def size(path: Path) -> int:
    return taken([measure(path)])


def make_old(path: Path) -> None:
    """Let a file or folder seem to be unused for a while."""
    old = time.time() - FRESH_SECONDS
    os.utime(path, (old, old))


@pytest.mark.timeout(180)
def test_prune_frees_what_usage_says(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    home = lab.engine.home
    for content in ("first", "second"):
        lab.write({"own.py": content})
        # Neither of them can be compressed. The second one is kept beside the Git objects.
        (lab.folder / "small").write_bytes(os.urandom(MB))
        (lab.folder / "large").write_bytes(os.urandom(9 * MB))
        run = lab.run(
            f"""
            install: echo {content}
            run: |
              head -c 3000000 /dev/urandom > $OUTPUT_DIR/model
              ln $OUTPUT_DIR/model $OUTPUT_DIR/best
              truncate -s 1G $OUTPUT_DIR/sparse
            """
        )
        assert run.state is State.FINISHED
    second, first = lab.engine.list(Query(all=True))
    image_keys = [lab.engine.read(Id(number=number)).image_key for number in (1, 2)]
    assert first.finished is not None
    assert second.finished is not None
    assert first.finished < second.finished
    make_old(repository_of("lab", home) / "refs/heads/riseml")
    make_old(home / "envs" / image_keys[0] / ".complete")
    for checkout in (home / "checkouts").glob("*/*"):
        make_old(checkout)
    # Only the first run, and its environment, ended so long ago. The clock stands still, so that the second
    # run does not become old while the files are counted.
    soon = time.time() + FRESH_SECONDS
    os.utime(home / "envs" / image_keys[1] / ".complete", (soon, soon))
    now = datetime.now(UTC)
    monkeypatch.setattr(corrected_time, "now", lambda: now)
    older_than = now - first.finished - (second.finished - first.finished) / 2
    before = usage(lab, older_than=older_than)
    assert [run.id for run in before.runs] == ["2", "1"]
    for run_usage in before.runs:
        assert run_usage.outputs == size(lab.output(int(run_usage.id)))
        # The sparse file and the second name take nothing.
        assert 3 * MB <= run_usage.outputs < 4 * MB
    assert before.disk.builds == size_of_children(home / "envs")
    code = [repository_of("lab", home), home / "checkouts/lab"]
    assert before.disk.code == taken(map(measure, code))
    assert before.builds == 2
    prunable = before.prunable
    assert prunable is not None
    assert (prunable.runs, prunable.builds) == (("1",), 1)
    client = Client(engine=lab.engine)
    assert [run.id for run in client.prune(older_than)] == ["1"]
    client.prune_unused(older_than)
    after = usage(lab, older_than=older_than)
    assert [run.id for run in after.runs] == ["2"]
    assert before.disk.outputs - after.disk.outputs == prunable.disk.outputs
    assert before.disk.builds - after.disk.builds == prunable.disk.builds
    # Objects that stay are packed as well.
    freed_code = before.disk.code - after.disk.code
    assert prunable.disk.code <= freed_code <= prunable.disk.code * 1.1 + MB
    assert prunable.disk.code > 10 * MB
    # There is nothing left to remove.
    assert after.prunable is not None
    assert after.prunable.disk.total < 10_000


def size_of_children(folder: Path) -> int:
    return sum(map(size, folder.iterdir()))


def test_hours_are_those_of_all_attempts_without_the_wait(lab: Lab) -> None:
    number = lab.train(
        """
        parameters: {n: [1, 2]}
        resources: {cpus: 3, mem: 1}
        retries: 1
        run: sleep 1; exit $(( RISEML_ATTEMPT + N == 1 ))
        """
    ).number
    lab.wait(number)
    run = lab.engine.read(Id(number=number))
    seconds = 0.0
    for experiment in run.experiments:
        for job in experiment.jobs:
            for attempt in job.attempts:
                assert attempt.started is not None
                assert attempt.finished is not None
                seconds += (attempt.finished - attempt.started).total_seconds()
    # Two experiments, one of them with two attempts.
    assert seconds >= 3
    (used,) = usage(lab).runs
    assert used.cpu_hours == pytest.approx(seconds * 3 / 3600, rel=1e-6)
    assert used.gpu_hours == 0


def test_a_job_that_was_killed_while_it_waited_has_used_nothing(lab: Lab) -> None:
    first = lab.train("resources: {cpus: 4, mem: 1}\nrun: sleep 600").number
    second = lab.train("resources: {cpus: 4, mem: 1}\nrun: sleep 600").number
    lab.until(
        lambda: lab.engine.read(Id(number=second)).state is State.PENDING, "it waits"
    )
    lab.engine.stop(Id(number=second))
    lab.wait(second)
    lab.engine.stop(Id(number=first), force=True)
    lab.wait(first)
    by_id = {run.id: run for run in usage(lab).runs}
    assert by_id[str(second)].cpu_hours == 0
    assert by_id[str(first)].cpu_hours > 0


def test_deleted_runs_are_named(lab: Lab) -> None:
    lab.run("run: echo 1")
    lab.run("run: echo 2")
    lab.engine.delete(Id(number=1))
    assert usage(lab).notes == (
        "1 run was deleted; what deleted runs have used is not counted.",
    )
