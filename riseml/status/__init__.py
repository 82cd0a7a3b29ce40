"""Read an Argo document back as RiseML's words.

    document ──outline──▶ Outline ──┐           what all its cells share
    nodes of one cell ──────────────┴─read_experiment──▶ ExperimentStatus
    document ──read──▶ SetStatus                all of it at once

Pure, and the same for documents of Argo and of the local engine.
"""

from riseml.status.experiments import read_experiment
from riseml.status.outline import Outline
from riseml.status.reading import assemble, outline, read
from riseml.status.values import TERMINAL, ExperimentStatus, JobStatus, SetStatus, State, set_state

__all__ = [
    "TERMINAL",
    "ExperimentStatus",
    "JobStatus",
    "Outline",
    "SetStatus",
    "State",
    "assemble",
    "outline",
    "read",
    "read_experiment",
    "set_state",
]
