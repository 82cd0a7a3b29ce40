"""Commands of a run as its jobs execute them; pure.

python fit.py --lr {{lr}}     of a set, with the values of lr beside it
python fit.py --lr 0.1        of an experiment
"""

import re

from riseml.status import ExperimentStatus, JobStatus, SetStatus

_PLACEHOLDER = re.compile(r"\{\{([^{}]+)\}\}")
# Two blanks separate the commands of a run, as in RiseML 1.
_SEPARATOR = "  "
# A long list would hide the rest of the screen.
_MAX_VALUES = 12


def of_set(run: SetStatus) -> str:
    """Return the commands of a run as riseml.yml has them."""
    return _joined("\0".join(run.run))


def of_experiment(run: SetStatus, experiment: ExperimentStatus) -> str:
    """Return the commands of an experiment, with its values.

    Other placeholders, such as a job's index, differ between the jobs, and stay.
    """

    def value(match: re.Match[str]) -> str:
        return str(experiment.parameters.get(match[1], match[0]))

    return _joined(_PLACEHOLDER.sub(value, "\0".join(run.run)))


def of_job(run: SetStatus, job: JobStatus) -> str:
    """Return the commands of a job, with the values of its experiment."""
    for experiment in run.experiments:
        if job in experiment.jobs:
            return of_experiment(run, experiment)
    return of_set(run)


def values(run: SetStatus) -> str:
    """Return the values of each parameter of a set: `lr 0.1, 0.2; opt adam, sgd`."""
    different: dict[str, dict[str, None]] = {}
    for experiment in run.experiments:
        for name, value in experiment.parameters.items():
            different.setdefault(name, {})[str(value)] = None
    return "; ".join(f"{name} {_listed(list(different[name]))}" for name in different)


def _listed(texts: list[str]) -> str:
    hidden = len(texts) - _MAX_VALUES
    if hidden > 0:
        texts = [*texts[:_MAX_VALUES], f"and {hidden} more"]
    return ", ".join(texts)


def _joined(commands: str) -> str:
    return " " + commands.replace("\0", _SEPARATOR) if commands else ""
