"""What an engine receives when a run is started again, or experiments are repeated."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from riseml.client import repeats
from riseml.client.repeat_types import FolderCode, Grown
from riseml.client.types import Overrides
from riseml.engines import Growth, Submission
from riseml.errors import ChangedMeanwhileError, InvalidInputError, OtherCodeError
from riseml.status import SetStatus, ShardStatus, State
from tests.cli import fake_engine
from tests.unit.client.submitted import (
    REVISION,
    SET_CONFIG,
    SINGLE_CONFIG,
    Submissions,
    context_of,
    recorded,
    recorded_set,
    with_tensorboard,
)

FINISHED, FAILED, KILLED = State.FINISHED, State.FAILED, State.KILLED
RUN = recorded_set(FINISHED, FAILED, KILLED)
SEARCH_CONFIG = """\
project: toaster-net
train:
  image: busybox
  run: fit {{lr}}
  search: {method: tpe, trials: 3, metric: loss, mode: min}
  parameters:
    lr: {uniform: [0, 1]}
"""


def experiments(submission: Submission) -> list[tuple[int | None, str, int]]:
    """Return number, `lr` and earlier attempts of each experiment."""
    return [
        (experiment.sub, experiment.parameters.get("lr", ""), experiment.attempts)
        for experiment in submission.plan.experiments
    ]


def retry(
    run: SetStatus,
    *names: str,
    folder: FolderCode | None = None,
    resume: bool = False,
    other_code: bool = False,
    refusals: int = 0,
) -> tuple[Grown, Submissions]:
    context, engine = context_of(run, refusals)
    grown = repeats.retry(
        context,
        names,
        failed=False,
        missing=False,
        folder=folder,
        resume=resume,
        other_code=other_code,
    )
    return grown, engine


def test_a_set_runs_again_as_it_was() -> None:
    context, engine = context_of(RUN)
    repetition = repeats.rerun(context, "14")
    assert (repetition.id, repetition.name) == ("15", "toaster-net-15")
    assert (repetition.is_set, repetition.experiments) == (True, 3)
    assert (repetition.revision, repetition.notes) == (REVISION, ("note 1",))
    assert repetition.tensorboard is None
    (submission,) = engine.submitted
    assert experiments(submission) == [(1, "1e-1", 0), (2, "1e-2", 0), (3, "1e-3", 0)]
    assert (submission.into, submission.plan.config) == (None, SET_CONFIG)


def test_one_experiment_of_a_set_runs_again_as_the_first_of_its_own() -> None:
    context, engine = context_of(RUN)
    assert repeats.rerun(context, "14.3").experiments == 1
    assert experiments(engine.submitted[0]) == [(1, "1e-3", 0)]


def test_a_single_experiment_runs_again() -> None:
    run = recorded(fake_engine.single(14, FAILED), SINGLE_CONFIG)
    context, engine = context_of(run)
    repetition = repeats.rerun(context, "14")
    assert (repetition.is_set, repetition.experiments) == (False, 1)
    assert experiments(engine.submitted[0]) == [(1, "", 0)]


def of_two_workflows(run: SetStatus) -> SetStatus:
    """Return a set whose last experiment ran other code in a second Workflow."""
    *first, last = run.experiments
    shards = (
        ShardStatus(1, "net", REVISION, SET_CONFIG),
        ShardStatus(2, "net-s2", "b" * 40, SET_CONFIG, is_added=True),
    )
    return replace(run, experiments=(*first, replace(last, shard=2)), shards=shards)


def test_experiments_of_other_code_get_a_workflow_of_their_own() -> None:
    context, engine = context_of(of_two_workflows(RUN))
    assert repeats.rerun(context, "14").experiments == 3
    first, second = engine.submitted
    assert (first.revision, first.into) == (REVISION, None)
    assert (second.revision, second.into) == ("b" * 40, Growth(15, 2))
    assert experiments(second) == [(3, "1e-3", 0)]
    grown, engine = retry(of_two_workflows(RUN), "14")
    assert grown.experiments == ("14.2", "14.3")
    assert grown.notes == ("note 1", "note 2")
    assert [submission.into for submission in engine.submitted] == [
        Growth(14, 3),
        Growth(14, 4),
    ]


def test_what_has_not_finished_is_repeated_as_another_attempt() -> None:
    grown, engine = retry(RUN)
    assert grown == Grown("14", "toaster-net", True, ("14.2", "14.3"), ("note 1",), ())
    (submission,) = engine.submitted
    assert (submission.into, submission.revision) == (Growth(14, 2), REVISION)
    assert experiments(submission) == [(2, "1e-2", 1), (3, "1e-3", 1)]
    assert [one.resume for one in submission.plan.experiments] == [None, None]


def test_experiments_continue_in_place() -> None:
    _, engine = retry(RUN, "14.3", resume=True)
    (experiment,) = engine.submitted[0].plan.experiments
    assert experiment.resume == "paul/toaster-net/14/3"


def test_nothing_is_left_to_repeat() -> None:
    grown, engine = retry(recorded_set(FINISHED, FINISHED))
    assert (grown.experiments, engine.submitted) == ((), [])


def test_a_run_that_another_command_changes_is_read_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pauses: list[float] = []
    # Threads of other tests may sleep as well.
    clock = SimpleNamespace(sleep=pauses.append)
    monkeypatch.setattr("riseml.client.submissions.time", clock)
    grown, engine = retry(RUN, "14.2", refusals=2)
    assert (grown.experiments, len(engine.submitted)) == (("14.2",), 1)
    assert pauses == pytest.approx([0.0, 0.2])
    with pytest.raises(ChangedMeanwhileError):
        retry(RUN, "14.2", refusals=10)


@pytest.mark.parametrize(("state", "expected"), [(State.RUNNING, 0), (KILLED, 1)])
def test_a_run_has_one_tensorboard(state: State, expected: int) -> None:
    config = f"{SET_CONFIG}  framework: pytorch\n  pytorch: {{tensorboard: true}}\n"
    run = recorded(recorded_set(State.RUNNING, FAILED, FINISHED), config)
    grown, engine = retry(with_tensorboard(run, state))
    assert engine.submitted[0].plan.tensorboard is bool(expected)
    assert grown.tensorboard == ("http://tb/14" if expected else None)


def folder(tmp_path: Path, config: str) -> FolderCode:
    path = tmp_path / "riseml.yml"
    path.write_text(config)
    return FolderCode(path)


def test_other_code_needs_consent(tmp_path: Path) -> None:
    new = folder(tmp_path, SET_CONFIG.replace("fit ", "better "))
    with pytest.raises(OtherCodeError, match="what differs: code, run"):
        retry(RUN, folder=new)
    grown, engine = retry(RUN, folder=new, other_code=True)
    assert grown.experiments == ("14.2", "14.3")
    (submission,) = engine.submitted
    assert (submission.revision, submission.plan.jobs[0].run) == (
        "0" * 40,
        ("better {{lr}}",),
    )
    assert experiments(submission) == [(2, "1e-2", 1), (3, "1e-3", 1)]


def test_the_code_of_a_folder_may_be_the_same(tmp_path: Path) -> None:
    run = replace(RUN, revision="0" * 40)
    grown, _ = retry(run, folder=folder(tmp_path, SET_CONFIG))
    assert grown.experiments == ("14.2", "14.3")
    done = recorded_set(FINISHED)
    grown, engine = retry(done, folder=folder(tmp_path, SET_CONFIG))
    assert (grown.experiments, engine.submitted) == ((), [])


def test_a_folder_must_declare_the_same_parameters(tmp_path: Path) -> None:
    new = folder(tmp_path, SET_CONFIG.replace("lr", "rate"))
    with pytest.raises(InvalidInputError) as caught:
        retry(RUN, folder=new, other_code=True)
    assert str(caught.value) == "14.2 has other parameters than riseml.yml declares"


def test_the_command_line_changes_the_code_of_a_folder(tmp_path: Path) -> None:
    same = folder(tmp_path, SET_CONFIG)
    synced: list[int] = []
    changed = replace(
        same,
        overrides=Overrides(settings=("train.timeout=1h",)),
        on_sync=lambda snapshot: synced.append(snapshot.files),
        node="gpu-1",
    )
    _, engine = retry(replace(RUN, revision="0" * 40), "14.2", folder=changed)
    (submission,) = engine.submitted
    assert (submission.node, synced) == ("gpu-1", [3])
    assert submission.plan.timeout == 3600


def searched(*chosen: int, states: tuple[State, ...]) -> SetStatus:
    """Return a search that has chosen the parameters of some experiments."""
    run = recorded(recorded_set(*states), SEARCH_CONFIG)
    experiments = []
    for experiment in run.experiments:
        if experiment.sub in chosen:
            experiments.append(replace(experiment, parameters={"lr": "0.5"}))
        else:
            experiments.append(replace(experiment, parameters={}, jobs=()))
    return replace(run, experiments=tuple(experiments))


def test_a_search_goes_on_with_the_parameters_that_it_has_not_chosen() -> None:
    run = searched(1, 2, states=(FINISHED, FAILED, KILLED))
    _, engine = retry(run)
    first, second = engine.submitted
    assert (first.plan.rounds, experiments(first)) == (None, [(2, "0.5", 1)])
    assert experiments(second) == [(3, "", 0)]
    assert second.plan.rounds is not None


def test_a_search_does_not_leave_out_experiments() -> None:
    run = searched(2, states=(KILLED, FINISHED, KILLED))
    with pytest.raises(InvalidInputError, match="all its missing experiments in order"):
        retry(run)
