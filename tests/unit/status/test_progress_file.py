"""File of progress: the last complete line, of the present attempt only."""

from datetime import UTC, datetime

import pytest

from riseml.status import ExperimentStatus, JobStatus, State, progress_file
from riseml.status.progress_file import Progress


def test_a_line_is_progress_with_its_time() -> None:
    assert progress_file.read("3/10 1\n", 60.0) == Progress(
        (3, 10), 1, datetime(1970, 1, 1, 0, 1, tzinfo=UTC)
    )


@pytest.mark.parametrize(
    "text", ["", "3/10", "3/10 1", "3/10 1\nx", "a/b 0\n", "-1/3 0\n"]
)
def test_another_text_is_none(text: str) -> None:
    assert progress_file.read(text, 60.0) == Progress()


def test_impossible_progress_is_limited() -> None:
    assert progress_file.read("7/3 0\n", 1.0).progress == (3, 3)
    assert progress_file.read("0/0 0\n", 1.0).progress == (0, 1)


@pytest.mark.parametrize(("attempt", "progress"), [(0, (1, 9)), (1, (3, 10))])
def test_only_progress_of_the_same_attempt_counts(
    attempt: int, progress: tuple[int, int]
) -> None:
    job = JobStatus("1.train", "train", state=State.RUNNING, attempt=attempt)
    experiment = ExperimentStatus(
        "1", state=State.RUNNING, progress=(1, 9), jobs=(job,)
    )
    reported = progress_file.read("3/10 1\n", 60.0)
    assert reported.add_to(experiment).progress == progress
