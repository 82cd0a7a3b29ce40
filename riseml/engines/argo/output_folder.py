"""Folders of experiments in the output volume."""

from riseml.status import ExperimentStatus, SetStatus


def folder(run: SetStatus, experiment: ExperimentStatus) -> str:
    """Return the folder of an experiment, relative to the output volume."""
    parent = run.folder
    return f"{parent}/{experiment.sub}" if run.is_set else parent
