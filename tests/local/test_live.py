"""Views of real runs: results and progress appear while jobs are running."""

import json
import time
from collections.abc import Callable

from riseml.engines.local.live import LiveRun
from riseml.engines.views import ProvidesViews
from riseml.ids import Id
from riseml.status import ExperimentStatus, SetStatus, State
from tests.local.conftest import Lab

# Reports `{step: N}` and the progress N of 4 as soon as there is a file `go-N`.
REPORT = """
import os, riseml, sys, time
for step in range(1, 5):
    while not os.path.exists(os.environ["FOLDER"] + "/go-" + str(step)):
        time.sleep(0.01)
    riseml.report_result(step=step)
    riseml.report_progress(step, 4)
    print("acc: 0.%d" % step)
"""


def until(view: LiveRun, condition: Callable[[SetStatus], object]) -> SetStatus:
    """Read a view until a condition holds."""
    limit = time.monotonic() + 60
    while not condition(status := view.read()):
        assert time.monotonic() < limit, status
        time.sleep(0.02)
    return status


def reported(experiment: ExperimentStatus) -> tuple[object, object]:
    return (experiment.result or {}).get("step"), experiment.progress


def start(lab: Lab, text: str) -> LiveRun:
    lab.write({"report.py": REPORT})
    number = lab.train(text, FOLDER=str(lab.folder.parent)).number
    assert isinstance(lab.engine, ProvidesViews)
    return lab.engine.view(Id(number=number))


def allow(lab: Lab, *steps: int) -> None:
    for step in steps:
        (lab.folder.parent / f"go-{step}").touch()


def test_a_single_run_shows_what_it_reports(lab: Lab) -> None:
    view = start(lab, "run: python3 report.py")
    until(view, lambda run: run.state is State.RUNNING)
    allow(lab, 1)
    run = until(view, lambda run: run.result)
    assert run.result == {"step": 1}
    begun = time.time()
    (one,) = until(view, lambda run: run.experiments[0].progressed).experiments
    assert one.progress == (1, 4)
    assert one.progressed is not None
    assert abs(one.progressed.timestamp() - begun) < 60
    allow(lab, 2, 3, 4)
    ended = until(view, lambda run: run.state.is_terminal)
    assert (ended.result, ended.experiments[0].progress) == ({"step": 4}, (4, 4))


def test_a_set_shows_what_its_running_experiments_report(lab: Lab) -> None:
    view = start(
        lab,
        """
        parameters: {n: [1, 2, 3]}
        concurrency: 2
        results: {acc: max}
        run: python3 report.py
        """,
    )
    until(view, lambda run: run.counts.get(State.RUNNING) == 2)
    allow(lab, 1)

    def have_reported(run: SetStatus) -> bool:
        return all(
            reported(one) == (1, (1, 4)) and (one.result or {}).get("acc")
            for one in run.experiments[:2]
        )

    run = until(view, have_reported)
    assert [one.state for one in run.experiments[:2]] == [State.RUNNING] * 2
    assert run.experiments[0].result == {"step": 1, "acc": 0.1}
    assert reported(run.experiments[2]) == (None, None)
    # The database has no jobs of sets, but the attempt and its start are known.
    (job,) = run.experiments[0].jobs
    assert (job.state, job.attempt, job.started) == (
        State.RUNNING,
        0,
        run.experiments[0].started,
    )
    allow(lab, 2, 3, 4)
    ended = until(view, lambda run: run.state.is_terminal)
    assert [one.result for one in ended.experiments] == [{"step": 4, "acc": 0.4}] * 3
    assert ended == lab.engine.read(Id(number=1))


def test_a_further_attempt_starts_without_results(lab: Lab) -> None:
    view = start(
        lab,
        """
        parameters: {n: [1, 2]}
        concurrency: 2
        retries: 1
        run: 'if [ $RISEML_ATTEMPT = 0 ]; then echo "{\\"step\\": 9}" >> $RESULT_FILE; exit 3; fi; python3 report.py'
        """,
    )

    def is_retried(run: SetStatus) -> bool:
        return all(
            one.state is State.RUNNING and one.attempt == 1 for one in run.experiments
        )

    run = until(view, is_retried)
    assert [job.max_attempts for one in run.experiments for job in one.jobs] == [2, 2]
    allow(lab, 1)
    run = until(view, lambda run: all(one.progress for one in run.experiments))
    assert [reported(one) for one in run.experiments] == [(1, (1, 4))] * 2
    allow(lab, 2, 3, 4)
    until(view, lambda run: run.state.is_terminal)


def test_an_experiment_of_a_set_has_its_jobs(lab: Lab) -> None:
    start(lab, "parameters: {n: [1, 2]}\nconcurrency: 2\nrun: python3 report.py")
    view = lab.engine.view(Id(number=1, sub=2))
    run = until(view, lambda run: run.experiments[1].jobs[0].state is State.RUNNING)
    assert [job.id for job in run.experiments[1].jobs] == ["1.2.train"]
    allow(lab, 1, 2, 3, 4)
    run = until(view, lambda run: run.experiments[1].state.is_terminal)
    (job,) = run.experiments[1].jobs
    assert (job.state, job.exit_code) == (State.FINISHED, 0)


def test_progress_is_written_beside_the_results(lab: Lab) -> None:
    view = start(lab, "run: python3 report.py")
    allow(lab, 1, 2, 3, 4)
    until(view, lambda run: run.state.is_terminal)
    output = lab.output(1) / ".riseml"
    # The last report is always written.
    assert (output / "progress").read_text() == "4/4 0\n"
    assert json.loads((output / "results.jsonl").read_text().splitlines()[-1]) == {
        "step": 4
    }
