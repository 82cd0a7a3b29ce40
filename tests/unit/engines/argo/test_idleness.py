"""Marks of idle jobs on a cluster, through files in the output volume."""

from pathlib import Path
from typing import Any, cast

import pytest

from riseml.cluster.store import StorePod
from riseml.engines.argo import job_files
from riseml.errors import UnreachableError
from riseml.plan import Resources
from riseml.status import ExperimentStatus, JobStatus, SetStatus, State
from tests.unit.shell_store import Shell

FOLDER = "me/p/7"


def grid(gpus: int = 1) -> SetStatus:
    """Return a set of two experiments with a job each."""
    experiments = []
    for sub in (1, 2):
        job = JobStatus(
            f"7.{sub}.train",
            "train",
            state=State.RUNNING,
            resources=Resources(gpus=gpus),
        )
        experiments.append(
            ExperimentStatus(f"7.{sub}", sub, State.RUNNING, jobs=(job,))
        )
    return SetStatus(
        "7",
        user="me",
        project="p",
        number=7,
        is_set=True,
        experiments=tuple(experiments),
    )


def mark(output: Path, name: str) -> None:
    file = output / FOLDER / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text('{"idle": 960}\n')


def test_a_job_with_a_file_is_idle(tmp_path: Path) -> None:
    mark(tmp_path, "2/.riseml/idle.train.0")
    run = job_files.with_files(cast(StorePod, Shell(tmp_path)), grid())
    assert [item.reason for item in run.experiments] == ["", "IDLE"]
    assert run.experiments[1].jobs[0].message == "its GPUs have been idle for 16 min"


def test_a_single_experiment_has_its_file_in_the_folder_of_the_run(
    tmp_path: Path,
) -> None:
    mark(tmp_path, ".riseml/idle.worker.2.1")
    # What run.sh keeps for the retries of a gang is no mark.
    (tmp_path / FOLDER / ".riseml" / "idle.stopped").write_text("/output/gang/uid\n")
    workers = []
    for index in (1, 2):
        workers.append(
            JobStatus(
                f"7.worker.{index}",
                "worker",
                index,
                State.RUNNING,
                attempt=1,
                resources=Resources(gpus=1),
            )
        )
    experiment = ExperimentStatus("7", state=State.RUNNING, jobs=tuple(workers))
    single = SetStatus("7", user="me", project="p", number=7, experiments=(experiment,))
    store = cast(StorePod, Shell(tmp_path))
    assert job_files.read(store, single)[""]["idle.worker.2.1"] == '{"idle": 960}\n'
    run = job_files.with_files(store, single)
    messages = [job.message for job in run.experiments[0].jobs]
    assert messages == ["", "its GPUs have been idle for 16 min"]


class Away(Shell):
    def script(self, text: str, *arguments: str, **options: Any) -> bytes:
        raise UnreachableError("away")


@pytest.mark.parametrize("gpus", [0, 1])
def test_runs_without_gpus_read_nothing_and_a_store_may_be_away(
    gpus: int, tmp_path: Path
) -> None:
    run = grid(gpus)
    assert job_files.with_files(cast(StorePod, Away(tmp_path)), run) == run
