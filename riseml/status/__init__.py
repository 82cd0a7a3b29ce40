"""Read an Argo document back as RiseML's words.

    document ───read_outline──▶ Outline ─┐                    what all its cells share
    nodes of one cell ──────────────────┴─read_experiment──▶ ExperimentStatus
    document ──────read──────▶ SetStatus                     all of it at once

Pure, and the same for documents of Argo and of the local engine. Whatever is missing or unknown in a document, reading
it gives an answer and no error.

A job, from the nodes of its task (the last attempt where it may be retried):

1. No node, or one that is Pending for anything but its own start: CREATED, PENDING, with the reason.
2. Pending while image, volumes and code are brought (`ContainerCreating`, `PodInitializing`, image pulls): STARTING.
3. Running: RUNNING. An attempt that failed while its Retry node goes on: PENDING, RETRY.
4. Ended at or after the time of a kill that names its experiment or `*`: KILLED, whatever the exit code. What ended
   before keeps its own outcome. An attempt that could have been followed by another one ended when Argo gave up on it.
5. Succeeded: FINISHED. Failed or Error: FAILED, with reason, message, exit code (`reasons.py` has the words).

An experiment, from its jobs; daemons (ps) decide nothing:

1. Its cell was Skipped by the kill list, or it has no node and was killed, or its run was ended: KILLED.
2. No node, and the build failed: FAILED, guilty is the build. While the build has not ended: BUILDING.
3. No node, and the run itself waits for a lock: PENDING. No node yet otherwise (`concurrency`): CREATED.
4. While a job that counts has not ended: the state of the most advanced one, RUNNING once any has ended.
5. A job failed: FAILED. Guilty is who failed first; whoever looks ended from outside (pod deleted, SIGTERM, SIGKILL)
   comes last, and those peers, and daemons, are shown KILLED, PEER.
6. Else KILLED where a job was killed, else FINISHED; its daemons are FINISHED, STOPPED.

A set, from its experiments: `set_state`. Its TensorBoard never counts and ends KILLED.
"""

from typing import TYPE_CHECKING

from riseml.status.values import (
    TERMINAL,
    ExperimentStatus,
    JobStatus,
    SetStatus,
    State,
    set_state,
)

if TYPE_CHECKING:
    from riseml.status.experiments import read_experiment
    from riseml.status.outline import Outline
    from riseml.status.reader import assemble, read, read_outline

__all__ = [
    "TERMINAL",
    "ExperimentStatus",
    "JobStatus",
    "Outline",
    "SetStatus",
    "State",
    "assemble",
    "read",
    "read_experiment",
    "read_outline",
    "set_state",
]


def __getattr__(name: str) -> object:
    """Find what reads documents when it is first used: a list of runs needs the values only."""
    if name not in __all__:
        raise AttributeError(f"module 'riseml.status' has no attribute '{name}'")
    from riseml.status import experiments, outline, reader  # noqa: PLC0415

    globals().update(
        Outline=outline.Outline,
        assemble=reader.assemble,
        read_outline=reader.read_outline,
        read=reader.read,
        read_experiment=experiments.read_experiment,
    )
    return globals()[name]
