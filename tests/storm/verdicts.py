"""The verdict on each experiment: what it wrote against the state that the engine shows."""

from collections import Counter
from collections.abc import Iterable, Mapping

from riseml.status import ExperimentStatus, SetStatus, State
from tests.storm import report
from tests.storm.experiments import Family, Traces
from tests.storm.report import Journal, Kill, describe


def check_run(
    journal: Journal, family: Family, run: SetStatus, traces: Mapping[str, Traces]
) -> None:
    """Record every defect of a run that has to have ended by now."""
    experiments = run.experiments
    numbers = [experiment.sub for experiment in experiments]
    if numbers != list(range(1, family.count + 1)):
        journal.defect(report.LOST, run.id, f"it shows the experiments {numbers}")
    for experiment in experiments:
        _check_experiment(journal, family, experiment, traces)
    states = Counter(experiment.state for experiment in experiments)
    if dict(run.counts) != dict(states):
        journal.defect(report.WRONG, run.id, f"counts {run.counts}, states {states}")
    expected = State.FAILED if State.FAILED in states else State.FINISHED
    if run.state is not expected:
        journal.defect(report.WRONG, run.id, f"it is {run.state}, not {expected}")


def _check_experiment(
    journal: Journal,
    family: Family,
    experiment: ExperimentStatus,
    traces: Mapping[str, Traces],
) -> None:
    trace = traces.get(experiment.id, Traces())
    kills = journal.kills_of(experiment.id)
    evidence = (
        f"{experiment.state} ({experiment.message or experiment.reason}),"
        f" began {trace.begun}, ended {trace.ended}, {describe(kills)}"
    )
    for kind in _defects(family, experiment, trace, kills):
        journal.defect(kind, experiment.id, evidence)


def _defects(
    family: Family,
    experiment: ExperimentStatus,
    trace: Traces,
    kills: Iterable[Kill],
) -> list[str]:
    """Return the kinds of defects of an experiment."""
    if not experiment.state.is_terminal:
        return [report.LOST]
    # The engine may not run an attempt again once its pid file exists.
    excused = {kill.attempt for kill in kills if kill.recorded}
    kinds = []
    if _has_repeated(trace, excused):
        kinds.append(report.DUPLICATED)
    attempts = {*trace.begun, *excused}
    if not attempts:
        return [*kinds, report.LOST]
    last = max(attempts)
    if last in excused and experiment.state is State.FAILED:
        return kinds
    if last not in trace.ended:
        return [*kinds, report.WRONG]
    status = family.status(experiment.sub or 0, last)
    expected = State.FAILED if status else State.FINISHED
    result = {"value": experiment.sub}
    if experiment.state is not expected or experiment.result != result:
        kinds.append(report.WRONG)
    return kinds


def _has_repeated(trace: Traces, excused: set[int]) -> bool:
    """Return whether an attempt ran twice, or without a reason to try again."""
    if len(set(trace.begun)) < len(trace.begun):
        return True
    for attempt in trace.begun:
        earlier = attempt - 1
        if attempt and earlier not in excused and not trace.ended.get(earlier):
            return True
    return False
