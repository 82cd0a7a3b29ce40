"""Selection of what an id asks for in a run."""

import pytest

from riseml.engines import Change
from riseml.engines.selection import change, experiments, jobs, parts, run_or_experiment
from riseml.errors import NotFoundError
from riseml.ids import Id
from riseml.status import ExperimentStatus, JobStatus, SetStatus, State


def experiment(id: str, sub: int | None, *types: str) -> ExperimentStatus:  # noqa: A002
    return ExperimentStatus(
        id, sub, jobs=tuple(JobStatus(f"{id}.{type_}", type_) for type_ in types)
    )


SET = SetStatus(
    "14",
    is_set=True,
    number=14,
    jobs=(JobStatus("14.build", "build"),),
    experiments=(
        experiment("14.1", 1, "master", "ps"),
        experiment("14.2", 2, "master"),
    ),
)
SINGLE = SetStatus(
    "15",
    number=15,
    jobs=(JobStatus("15.build", "build"),),
    experiments=(experiment("15", None, "train"),),
)


@pytest.mark.parametrize(
    ("run", "selected", "ids"),
    [
        (
            SET,
            Id(number=14),
            "14.build 14.1.master 14.1.ps 14.1 14.2.master 14.2 14",
        ),
        (SET, Id(number=14, sub=1), "14.1.master 14.1.ps 14.1"),
        (SET, Id(number=14, type="build"), "14.build"),
        (SET, Id(number=14, type="master"), "14.1.master 14.2.master"),
        (SET, Id(number=14, sub=2, type="ps"), ""),
        (SINGLE, Id(number=15), "15.build 15.train 15"),
        (SINGLE, Id(number=15, sub=1), "15.build 15.train 15"),
    ],
)
def test_an_id_selects_parts_in_the_order_of_their_changes(
    run: SetStatus, selected: Id, ids: str
) -> None:
    assert [part.id for part in parts(run, selected)] == ids.split()
    selected_jobs = [job.id for _, job in jobs(run, selected)]
    assert selected_jobs == [
        part.id for part in parts(run, selected) if isinstance(part, JobStatus)
    ]


def test_an_id_selects_experiments() -> None:
    assert list(experiments(SET, Id(number=14, sub=2))) == [SET.experiments[1]]
    assert list(experiments(SET, Id(number=14))) == list(SET.experiments)
    assert list(experiments(SINGLE, Id(number=15, sub=1))) == list(SINGLE.experiments)


def test_an_id_names_the_run_or_one_experiment() -> None:
    assert run_or_experiment(SET, Id(number=14)) is SET
    assert run_or_experiment(SET, Id(number=14, sub=2)) is SET.experiments[1]
    assert run_or_experiment(SINGLE, Id(number=15, sub=1)) is SINGLE.experiments[0]
    for run in (SET, SINGLE):
        with pytest.raises(NotFoundError, match=r"there is no experiment 1\d\.9"):
            run_or_experiment(run, Id(number=run.number, sub=9))


def test_a_change_has_the_exit_code_of_a_job() -> None:
    job = JobStatus("14.1.ps", "ps", state=State.FAILED, reason="ERROR", exit_code=3)
    assert change(job) == Change("14.1.ps", "FAILED", None, "ERROR", "", 3)
    assert change(SET).exit_code is None
