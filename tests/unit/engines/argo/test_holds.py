"""Holds and releases of jobs on a cluster, through files in the output volume."""

from pathlib import Path
from typing import Any, cast

from riseml.cluster.store import StorePod
from riseml.engines.argo import job_files
from riseml.errors import UnreachableError
from riseml.status import ExperimentStatus, JobStatus, SetStatus, State
from tests.unit.shell_store import Shell

FOLDER = "me/p/7"


def job(name: str, **values: Any) -> JobStatus:
    fields = {"state": State.RUNNING, "holds": True, **values}
    return JobStatus(name, name.rpartition(".")[2], **fields)


def run_of(*experiments: ExperimentStatus) -> SetStatus:
    return SetStatus(
        "7", user="me", project="p", number=7, is_set=True, experiments=experiments
    )


def grid(**values: Any) -> SetStatus:
    """Return a set of two experiments with a job each."""
    experiments = []
    for sub in (1, 2):
        jobs = (job(f"7.{sub}.train", **values),)
        experiments.append(ExperimentStatus(f"7.{sub}", sub, State.RUNNING, jobs=jobs))
    return run_of(*experiments)


def hold(output: Path, sub: int, name: str = "train") -> Path:
    file = output / FOLDER / str(sub) / ".riseml" / f"held.{name}"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("0 3 1700000000 1700000600\n")
    return file


def test_what_a_file_says_is_held(tmp_path: Path) -> None:
    hold(tmp_path, 2)
    store = cast(StorePod, Shell(tmp_path))
    run = job_files.with_files(store, grid())
    assert [item.reason for item in run.experiments] == ["", "HELD"]
    assert run.experiments[1].exit_code == 3
    assert run.experiments[1].jobs[0].held_until is not None


def test_a_single_experiment_has_its_file_in_the_folder_of_the_run(
    tmp_path: Path,
) -> None:
    file = tmp_path / FOLDER / ".riseml/held.worker.2"
    file.parent.mkdir(parents=True)
    file.write_text("0 3 1700000000 1700000600\n")
    worker = JobStatus("7.worker.2", "worker", 2, State.PENDING, holds=True)
    experiment = ExperimentStatus("7", state=State.PENDING, jobs=(worker,))
    single = SetStatus("7", user="me", project="p", number=7, experiments=(experiment,))
    run = job_files.with_files(cast(StorePod, Shell(tmp_path)), single)
    assert run.experiments[0].guilty == "7.worker.2"
    # Argo's document may lag behind.
    assert run.state is State.RUNNING
    job_files.release(cast(StorePod, Shell(tmp_path)), run, ["7.worker.2"])
    assert not file.exists()


class Away(Shell):
    def script(self, text: str, *arguments: str, **options: Any) -> bytes:
        raise UnreachableError("away")


def test_runs_without_holds_read_nothing_and_a_store_may_be_away(
    tmp_path: Path,
) -> None:
    store = cast(StorePod, Away(tmp_path))
    for run in (grid(holds=False), grid()):
        assert job_files.with_files(store, run) == run


def test_only_the_named_jobs_are_released(tmp_path: Path) -> None:
    first, second = hold(tmp_path, 1), hold(tmp_path, 2)
    store = cast(StorePod, Shell(tmp_path))
    job_files.release(store, grid(), ["7.2.train", "8.1.train"])
    assert first.exists()
    assert not second.exists()
    # What is not held is left as it is.
    job_files.release(store, grid(), ["7.2.train"])
