"""Facts about a run that a report shows: states, times, resources, commands, code."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from riseml import phrases
from riseml.dataclass import dataclass
from riseml.quantities import cores_text, memory_text
from riseml.report.axes import MISSING
from riseml.status import ExperimentStatus, SetStatus, reason_words


@dataclass(frozen=True)
class Run:
    """Facts about a run, its configuration, and how its code differs from the user's commit."""

    title: str
    facts: tuple[tuple[str, str], ...]
    config: str
    difference: str = ""


def title(runs: Sequence[SetStatus]) -> str:
    """Return what a report is about: projects and ids."""
    projects = ", ".join(dict.fromkeys(run.project for run in runs))
    ids = ", ".join(run.id for run in runs)
    return f"{projects} {ids}"


def describe(run: SetStatus, now: datetime, difference: str) -> Run:
    """Return the facts of a run; `difference` is a patch from the user's commit."""
    states = Counter(map(state, run.experiments))
    counts = ", ".join(f"{count} {word}" for word, count in states.items())
    facts = {
        "Name": run.marks.name,
        "Tags": ", ".join(run.marks.tags),
        "Note": run.marks.note,
        "State": str(run.state),
        "Experiments": counts,
        "Started": phrases.local_time(run.started),
        "Ended": phrases.local_time(run.finished),
        "Duration": duration(seconds_of(run, now)),
        "Image": run.image,
        "Framework": run.framework,
        "Resources": _resources(run.experiments),
        "Commands": "\n".join(run.run),
        "Install": "\n".join(run.install),
        "Revision": run.revision,
        "Commit": _commit(run),
    }
    present = tuple((label, value) for label, value in facts.items() if value)
    kind = "Set" if run.is_set else "Experiment"
    return Run(f"{kind} {run.id} of {run.project}", present, run.config, difference)


def _commit(run: SetStatus) -> str:
    """Return what the user's own repository was at."""
    if run.git is None:
        return ""
    commit = f"{run.git.branch} {run.git.commit}".strip()
    return f"{commit}{phrases.changes(run.git)}"


def _resources(experiments: Iterable[ExperimentStatus]) -> str:
    """Return what each type of job of an experiment asks for."""
    lines = {}
    for experiment in experiments:
        for job in experiment.jobs:
            if job.resources and job.type not in lines:
                resources = job.resources
                lines[job.type] = (
                    f"{job.type}: {cores_text(resources.cpus)} CPUs,"
                    f" {memory_text(resources.mem)}, {resources.gpus} GPUs"
                )
    return "\n".join(lines.values())


def state(experiment: ExperimentStatus) -> str:
    """Return the state of an experiment: EARLY if its search has stopped it."""
    return reason_words.EARLY if experiment.is_early else str(experiment.state)


def seconds_of(status: SetStatus | ExperimentStatus, now: datetime) -> float | None:
    """Return how long something ran, or has been running; None before it starts."""
    if status.started is None:
        return None
    length = (status.finished or now) - status.started
    return max(length.total_seconds(), 0.0)


def duration(seconds: float | None) -> str:
    """Return a duration as hours, minutes and seconds."""
    return MISSING if seconds is None else str(timedelta(seconds=round(seconds)))
