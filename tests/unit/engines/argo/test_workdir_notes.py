"""Notes about kept files that only the output volume has."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import cast

from riseml.cluster.store import StorePod
from riseml.engines.argo.workdir_notes import with_notes
from riseml.errors import UnreachableError
from riseml.status import ExperimentStatus, JobStatus, SetStatus, State

START = datetime(2026, 1, 1, tzinfo=UTC)
KILLED = JobStatus("7.worker.1", "worker", 1, State.KILLED, started=START, attempt=2)
FINISHED = JobStatus("7.ps", "ps", state=State.FINISHED, started=START, exit_code=0)


class Volume:
    """A store with one note; it remembers which files were asked for."""

    def __init__(self, *, is_away: bool = False) -> None:
        self.files: tuple[str, ...] = ()
        self._is_away = is_away

    def script(self, _: str, *files: str) -> bytes:
        self.files = files
        if self._is_away:
            raise UnreachableError("away")
        return b"".join(b"%s\t1 file\n" % file.encode() for file in files)


def run_of(*jobs: JobStatus) -> SetStatus:
    experiment = ExperimentStatus("7", state=State.KILLED, jobs=jobs)
    return SetStatus("7", user="me", project="p", number=7, experiments=(experiment,))


def test_a_stopped_job_has_its_note_in_the_volume() -> None:
    volume = Volume()
    run = with_notes(cast(StorePod, volume), run_of(KILLED, FINISHED))
    assert volume.files == ("me/p/7/.riseml/workdir.worker.1.2",)
    assert [job.workdir for job in run.experiments[0].jobs] == ["1 file", ""]
    assert run.experiments[0].workdir == "1 file"


def test_nothing_is_read_if_nothing_can_be_missing() -> None:
    volume = Volume()
    noted = replace(KILLED, workdir="2 files")
    run = run_of(noted, FINISHED)
    assert with_notes(cast(StorePod, volume), run) == run
    assert volume.files == ()


def test_a_store_that_is_away_hides_nothing_else() -> None:
    run = run_of(KILLED)
    assert with_notes(cast(StorePod, Volume(is_away=True)), run) == run
