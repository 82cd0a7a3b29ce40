"""Records of all runs on a cluster: archived ones and others, and when attempts began."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from riseml.engines.argo import archive, records
from riseml.status import ExperimentStatus, JobStatus, SetStatus, State
from riseml.status.data import encode, to_data
from tests.unit.engines.argo.fake_cluster import FakeCluster, reader
from tests.unit.engines.argo.test_listing import run
from tests.unit.shell_store import Shell

MADE = datetime(2026, 1, 1, tzinfo=UTC)


def archived(number: int, project: str = "p") -> SetStatus:
    """Return an ended run with a job in its second attempt."""
    job = JobStatus("x", "worker", 2, State.FINISHED, started=MADE, exit_code=0)
    job = replace(job, id=f"{number}.worker.2", attempt=1)
    job = replace(job, earlier=(replace(job, attempt=0),))
    experiment = ExperimentStatus(str(number), state=State.FINISHED, jobs=(job,))
    return SetStatus(
        str(number),
        user="me",
        project=project,
        number=number,
        state=State.FINISHED,
        experiments=(experiment,),
    )


def write(output: Path, run: SetStatus) -> None:
    folder = output / run.folder
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps(to_data(run), default=encode))


def read(
    cluster: FakeCluster, output: Path, project: str | None = None
) -> list[SetStatus]:
    store = cast(Any, Shell(output))
    return list(records.read(reader(cluster, store), project))


def test_archived_runs_and_others_are_read_once_each(tmp_path: Path) -> None:
    for number in (11, 12):
        write(tmp_path, archived(number))
    is_archived = {archive.ARCHIVED: "yes"}
    cluster = FakeCluster(
        [
            run(14),
            run(12, completed="Succeeded", annotations=is_archived),
            run(13, completed="Succeeded"),
        ]
    )
    runs = read(cluster, tmp_path)
    assert [item.number for item in runs] == [14, 13, 12, 11]
    assert runs[2].project == "p"


def test_a_project_has_only_its_runs(tmp_path: Path) -> None:
    write(tmp_path, archived(11))
    write(tmp_path, archived(12, "q"))
    assert [item.number for item in read(FakeCluster([]), tmp_path, "q")] == [12]


def test_an_attempt_begins_when_its_log_does(tmp_path: Path) -> None:
    write(tmp_path, archived(11))
    logs = tmp_path / "me/p/11/.riseml/logs"
    logs.mkdir(parents=True)
    (logs / "worker.2.1.log.times").write_text("1800000000 0\n1800000005 7\n")
    (record,) = read(FakeCluster([]), tmp_path)
    (job,) = record.experiments[0].jobs
    assert job.started == datetime.fromtimestamp(1800000000, UTC)
    # There is no log of the first attempt.
    assert job.earlier[0].started == MADE


def test_experiments_of_a_set_have_their_own_logs(tmp_path: Path) -> None:
    (experiment,) = archived(11).experiments
    (job,) = experiment.jobs
    job = replace(job, id="11.3.worker.2", earlier=())
    experiment = replace(experiment, id="11.3", sub=3, jobs=(job,))
    write(tmp_path, replace(archived(11), is_set=True, experiments=(experiment,)))
    logs = tmp_path / "me/p/11/3/.riseml/logs"
    logs.mkdir(parents=True)
    (logs / "worker.2.1.log.times").write_text("1800000000 0\n")
    (record,) = read(FakeCluster([]), tmp_path)
    begun = record.experiments[0].jobs[0].started
    assert begun == datetime.fromtimestamp(1800000000, UTC)
