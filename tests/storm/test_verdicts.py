"""The storm notices what is wrong with an experiment, and excuses only what it did itself."""

from dataclasses import replace
from pathlib import Path

import pytest

from riseml.status import ExperimentStatus, SetStatus, State
from tests.storm import report
from tests.storm.experiments import Family, Ledger, Traces
from tests.storm.report import Journal, Kill
from tests.storm.verdicts import check_run

_FAMILY = Family("t1", count=5)
_GOOD = Traces([0], {0: 0})
_FAILED = Traces([0], {0: 1})


def _run(**changes: object) -> SetStatus:
    """Return the run of five experiments, of which the last one fails; change the second one."""
    experiments = []
    for sub in range(1, 6):
        state = State.FAILED if sub == 5 else State.FINISHED
        experiments.append(
            ExperimentStatus(f"7.{sub}", sub, state, result={"value": sub})
        )
    experiments[1] = replace(experiments[1], **changes)  # type: ignore[arg-type]
    states = [experiment.state for experiment in experiments]
    return SetStatus(
        "7",
        number=7,
        is_set=True,
        state=State.FAILED,
        counts={state: states.count(state) for state in set(states)},
        experiments=tuple(experiments),
    )


def _defects(run: SetStatus, second: Traces | None, *kills: Kill) -> list[str]:
    journal = Journal(kills=list(kills))
    traces = {f"7.{sub}": _GOOD for sub in (1, 3, 4)} | {"7.5": _FAILED}
    if second is not None:
        traces["7.2"] = second
    check_run(journal, _FAMILY, run, traces)
    return [f"{defect.kind} {defect.subject}" for defect in journal.defects]


def test_a_correct_run_has_no_defects() -> None:
    assert _defects(_run(), _GOOD) == []


@pytest.mark.parametrize(
    ("changes", "traces", "kind"),
    [
        ({"state": State.RUNNING}, _GOOD, report.LOST),
        ({"state": State.FAILED}, None, report.LOST),
        ({}, None, report.LOST),
        ({}, Traces([0, 0], {0: 0}), report.DUPLICATED),
        ({}, Traces([0, 1], {0: 0, 1: 0}), report.DUPLICATED),
        ({"state": State.FAILED}, _GOOD, report.WRONG),
        ({}, Traces([0], {}), report.WRONG),
        ({"result": None}, _GOOD, report.WRONG),
    ],
)
def test_a_defect_is_noticed(
    changes: dict[str, object], traces: Traces | None, kind: str
) -> None:
    assert f"{kind} 7.2" in _defects(_run(**changes), traces)


def test_a_missing_experiment_is_lost() -> None:
    run = _run()
    experiments = run.experiments[:4]
    assert f"{report.LOST} 7" in _defects(replace(run, experiments=experiments), _GOOD)


@pytest.mark.parametrize(
    ("counts", "state"),
    [({State.FINISHED: 5}, State.FAILED), ({}, State.FINISHED)],
)
def test_a_run_that_contradicts_its_experiments_is_wrong(
    counts: dict[State, int], state: State
) -> None:
    run = _run()
    changed = replace(run, counts=counts or run.counts, state=state)
    assert _defects(changed, _GOOD) == [f"{report.WRONG} 7"]


def test_a_killed_supervisor_excuses_a_failure_only_of_a_job_that_had_started() -> None:
    run = _run(state=State.FAILED, result=None)
    started = Kill(1.0, "supervisor", 1, "7.2", 0, recorded=True)
    assert _defects(run, Traces([0], {}), started) == []
    assert _defects(run, None, started) == []
    half_created = replace(started, victim="child", recorded=False)
    assert _defects(run, None, half_created) == [f"{report.LOST} 7.2"]
    another = replace(started, experiment="7.1")
    assert f"{report.LOST} 7.2" in _defects(run, None, another)


def test_experiments_are_known_by_what_they_append(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger")
    ledger.path.write_text(
        "t1 7.1 0 begin\nt2 8.4 0 begin\nt1 7.1 0 1\nt1 7.1 1 begin\n"
    )
    traces, runs = ledger.read()
    assert ledger.begun == 3
    assert traces == {"7.1": Traces([0, 1], {0: 1}), "8.4": Traces([0])}
    assert runs == {"t1": {7}, "t2": {8}}
