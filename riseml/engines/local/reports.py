"""Results and progress that jobs have reported into the output folder of their experiment."""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from riseml.dataclass import replace
from riseml.errors import HomeError
from riseml.metrics import result_file
from riseml.metrics.result_file import Reported, Tail
from riseml.status import (
    ExperimentStatus,
    SetStatus,
    State,
    held,
    job_files,
    progress_file,
    usage_notes,
)
from riseml.status.measured import with_reported
from riseml.status.progress_file import Progress

RESULTS, PROGRESS = ".riseml/results.jsonl", ".riseml/progress"
"""Files in the output folder of an experiment that its jobs report into."""

_BLOCK_BYTES = 1 << 20
_PROGRESS_LIMIT = 256


def with_results(run: SetStatus, folder: Path) -> SetStatus:
    """Return a run with what its experiments have reported into its output folder."""
    experiments = []
    for experiment in run.experiments:
        own_folder = experiment_folder(folder, experiment)
        reported = with_result(experiment, own_folder)
        experiments.append(reported)
    return replace(run, experiments=tuple(experiments))


def with_results_at_work(run: SetStatus, folder: Path) -> SetStatus:
    """Return a run with what its experiments at work have reported.

    The others have their results already, and no jobs.
    """
    experiments = []
    for experiment in run.experiments:
        reported = experiment
        if experiment.jobs:
            reported = with_result(experiment, experiment_folder(folder, experiment))
        experiments.append(reported)
    return replace(run, experiments=tuple(experiments))


def experiment_folder(folder: Path, experiment: ExperimentStatus) -> Path:
    """Return the output folder of an experiment, below that of its run if that is a set."""
    if experiment.sub is None:
        return folder
    return folder / str(experiment.sub)


def with_result(experiment: ExperimentStatus, folder: Path) -> ExperimentStatus:
    """Return an experiment with what it has reported into its output folder."""
    reported = with_reported(experiment, read_result(experiment, folder))
    with_progress = read_progress(experiment, folder).add_to(
        usage_notes.with_notes(reported)
    )
    return job_files.add_to(with_progress, read_job_files(experiment, folder))


def read_result(experiment: ExperimentStatus, folder: Path) -> Reported:
    """Return the result that an experiment has reported into its output folder.

    The file has the complete result, and is newer than the output of a job that has ended.
    """
    if experiment.started is None:
        return Reported()
    own_folder = folder / ".riseml"
    attempt = experiment.attempt
    # Until the last attempt runs its commands, the file is that of an earlier one.
    if attempt and not (own_folder / f"attempt.{attempt}").exists():
        return Reported()
    try:
        return _read(folder / RESULTS, has_ended=experiment.state.is_terminal)
    except OSError:
        # There is no file yet.
        return Reported()


def read_progress(experiment: ExperimentStatus, folder: Path) -> Progress:
    """Return the progress that a running experiment has reported into its output folder."""
    if experiment.state is not State.RUNNING:
        return Progress()
    try:
        with (folder / PROGRESS).open(encoding="ascii", errors="replace") as file:
            modified = os.fstat(file.fileno()).st_mtime
            return progress_file.read(file.read(_PROGRESS_LIMIT), modified)
    except OSError:
        return Progress()


def read_job_files(experiment: ExperimentStatus, folder: Path) -> dict[str, str]:
    """Return the files that say something about an experiment's jobs, by their names."""
    texts: dict[str, str] = {}
    for prefix in job_files.prefixes([experiment]):
        for path in (folder / ".riseml").glob(f"{prefix}*"):
            # It may be removed meanwhile: the job is released, or begins to work.
            with suppress(OSError):
                texts[path.name] = path.read_text("ascii", "replace")
    return texts


def release(run: SetStatus, folder: Path, jobs: Sequence[str]) -> None:
    """Release held jobs of a run: their files are removed.

    Raises:
        HomeError: a file cannot be removed.
    """
    for experiment in run.experiments:
        own_folder = experiment_folder(folder, experiment) / ".riseml"
        for job in experiment.jobs:
            if job.id not in jobs:
                continue
            name = job.id.removeprefix(f"{experiment.id}.")
            file = own_folder / f"{held.PREFIX}{name}"
            try:
                file.unlink(missing_ok=True)
            except OSError as error:
                raise HomeError(
                    f"{job.id} cannot be released: {error.strerror}: {file}",
                    "Remove the file yourself: that releases the job.",
                ) from error


def _read(path: Path, *, has_ended: bool) -> Reported:
    """Return what a file reports.

    Raises:
        OSError: it cannot be read.
    """
    if not has_ended:
        tail = _tail(path, result_file.TAIL_LIMIT)
        reported = result_file.read(tail, has_ended=False)
        if not result_file.lacks_result(tail, reported):
            return reported
    # The file of a job that has ended is read once, so all of its lines can be checked.
    tail = _tail(path, result_file.LINE_LIMIT + 1)
    reported = result_file.read(tail, has_ended=has_ended)
    if result_file.lacks_result(tail, reported):
        return result_file.with_long_line(reported)
    return reported


def _tail(path: Path, limit: int) -> Tail:
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        skipped = max(0, size - limit)
        file.seek(0)
        # Programs may write much more than the limit, and only one block is kept.
        lines_before = 0
        for start in range(0, skipped, _BLOCK_BYTES):
            block = file.read(min(_BLOCK_BYTES, skipped - start))
            lines_before += block.count(b"\n")
        data = file.read(size - skipped)
    return Tail(data, skipped, lines_before)
