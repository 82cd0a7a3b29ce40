"""Results of a run, completed by the metrics that were read from logs and files."""

from collections.abc import Mapping
from typing import Any

from riseml.dataclass import replace
from riseml.metrics.result_file import Reported
from riseml.status.values import ExperimentStatus, SetStatus

Measured = Mapping[str, Mapping[str, Any]]
"""Best and last values by the name of the metric."""


def with_measured(run: SetStatus, by_id: Mapping[str, Measured]) -> SetStatus:
    """Return a run whose experiments have these metrics as well, by their ids.

    A value that the job reported itself takes precedence.
    """
    experiments = []
    for experiment in run.experiments:
        measured = by_id.get(experiment.id, {})
        experiments.append(complete(experiment, measured))
    return replace(run, experiments=tuple(experiments))


def with_reported(experiment: ExperimentStatus, reported: Reported) -> ExperimentStatus:
    """Return an experiment with what its file reports; its own result remains if that has none."""
    result = experiment.result if reported.result is None else reported.result
    notes = experiment.notes + reported.notes
    return replace(experiment, result=result, notes=notes)


def complete(experiment: ExperimentStatus, measured: Measured) -> ExperimentStatus:
    """Return an experiment with these metrics as well; see `with_measured`."""
    if not measured:
        return experiment
    # Few runs have metrics, and what reads them takes long to load.
    from riseml.metrics.experiment import shown  # noqa: PLC0415

    result = {name: shown(values) for name, values in measured.items()}
    result.update(experiment.results)
    return replace(experiment, result=result, measured=measured)
