"""Remarks about running jobs that use more than they requested, from the samples of the controller."""

import json
from collections.abc import Sequence
from pathlib import Path

from riseml.dataclass import replace
from riseml.engines.local import home
from riseml.status import ExperimentStatus, JobStatus, SetStatus, State
from riseml.status.usage_notes import with_notes
from riseml.usage import Usage

FILE = "usage"
"""File in the folder of a pod: what its samples add up to so far."""


def with_remarks(run: SetStatus, root: Path, keys: Sequence[int]) -> SetStatus:
    """Return a run of a home with remarks about its running jobs.

    `root` is the home, `keys` are those of the run's Workflows.
    """
    folders = [home.run_folder(root, key) for key in keys]
    experiments = []
    for experiment in run.experiments:
        if experiment.state is State.RUNNING:
            experiments.append(_remarked(experiment, folders))
        else:
            experiments.append(experiment)
    return replace(run, experiments=tuple(experiments))


def _remarked(
    experiment: ExperimentStatus, folders: Sequence[Path]
) -> ExperimentStatus:
    jobs = []
    for job in experiment.jobs:
        usage = Usage(mem_peak=_peak(job, folders) or None)
        jobs.append(replace(job, usage=usage))
    noted = with_notes(replace(experiment, jobs=tuple(jobs)))
    return replace(experiment, notes=noted.notes)


def _peak(job: JobStatus, folders: Sequence[Path]) -> int:
    """Return the largest memory of a job in the samples so far, 0 without any."""
    if job.state is not State.RUNNING or not job.node_id:
        return 0
    for folder in folders:
        try:
            data = json.loads((folder / job.node_id / FILE).read_text("ascii"))
            return int(data["mem_peak"])
        except (OSError, ValueError, LookupError, TypeError):
            # Its Workflow is another one, or the job has not been sampled yet.
            continue
    return 0
