"""Notes about kept files, where a job was stopped: Argo may have read its outputs before the note was written."""

import re

from riseml.cluster.store import StorePod
from riseml.dataclass import replace
from riseml.engines.argo.output_folder import folder
from riseml.errors import RiseMLError
from riseml.status import ExperimentStatus, JobStatus, SetStatus

# Prints the name and the text of each file in the arguments, which are relative to /output.
_NOTES = """
cd /output
for file; do [ ! -s "$file" ] || printf '%s\\t%s\\n' "$file" "$(head -n 1 "$file")"; done
"""
# Exit codes of jobs that were stopped: TERM, KILL, or unknown.
_STOPPED = (143, 137, None)
# The files are arguments of one command, whose length is limited.
_MAX_FILES = 500


def with_notes(store: StorePod, run: SetStatus) -> SetStatus:
    """Return a run with the notes of stopped jobs that its document lacks."""
    files = []
    for experiment in run.experiments:
        files += [
            _file(run, experiment, job) for job in experiment.jobs if _lacks_note(job)
        ]
    if not files:
        return run
    try:
        lines = store.script(_NOTES, *files[-_MAX_FILES:]).decode(errors="replace")
    except RiseMLError:
        # The store may be unavailable; the rest of the status does not need it.
        return run
    notes = dict(re.findall(r"(.*?)\t(.*)", lines))
    experiments = [_noted(run, experiment, notes) for experiment in run.experiments]
    return replace(run, experiments=tuple(experiments))


def _lacks_note(job: JobStatus) -> bool:
    has_ended = job.state.is_terminal and job.started is not None
    return has_ended and not job.workdir and job.exit_code in _STOPPED


def _noted(
    run: SetStatus, experiment: ExperimentStatus, notes: dict[str, str]
) -> ExperimentStatus:
    jobs = []
    for job in experiment.jobs:
        note = notes.get(_file(run, experiment, job), job.workdir)
        jobs.append(replace(job, workdir=note))
    return replace(experiment, jobs=tuple(jobs))


def _file(run: SetStatus, experiment: ExperimentStatus, job: JobStatus) -> str:
    """Return where the run script has written the note of a job."""
    name = job.id.removeprefix(f"{experiment.id}.")
    return f"{folder(run, experiment)}/.riseml/workdir.{name}.{job.attempt}"
