"""Reader of Argo documents: the status of runs, experiments and jobs in RiseML's terms.

    document ──read_outline──▶ Outline ─┐                     what all experiments share
    nodes of an experiment ────────────┴─read_experiment──▶ ExperimentStatus
    document ──read──▶ SetStatus                              all of it at once

It is pure, and the same for documents of Argo and of the local engine. It returns an answer
for every document, whatever is missing or unknown in it.

State of a job, from the nodes of its task (the last attempt if it may be retried):

1. No node, or a node that is Pending for another reason than its own start: CREATED or
   PENDING, with the reason.
2. Pending while image, volumes and code are prepared (`ContainerCreating`,
   `PodInitializing`, image pulls): STARTING.
3. Running: RUNNING. A failed attempt whose Retry node has not ended: PENDING, RETRY.
4. Ended at or after the time of a kill of its experiment or of `*`: KILLED, whatever the
   exit code. A job that ended before keeps its own outcome. A failed attempt that another
   one could have followed ended when Argo gave up.
5. Succeeded: FINISHED. Failed or Error: FAILED, with reason, message and exit code
   (`reasons.py` has the words).

State of an experiment, from its jobs; daemons (ps) do not decide:

1. Skipped because of a kill, killed before it had a node, or without a node when its build
   was killed: KILLED.
2. No node, and the build failed: FAILED, and the build is guilty. While the build is
   running: BUILDING.
3. No node, and the run waits for a lock: PENDING. No node for another reason
   (`concurrency`): CREATED.
4. A deciding job has not ended: the state of the most advanced unfinished job, or RUNNING
   if any job has ended.
5. A job failed: FAILED. The first job that failed is guilty. Jobs that seem to have been
   ended from outside (pod deleted, SIGINT, SIGTERM, SIGKILL) are guilty only if there is no
   other. Such peers of the guilty job, and daemons, are KILLED, PEER.
6. Otherwise KILLED if a job was killed, else FINISHED. Its daemons are FINISHED, STOPPED.

State of a set, from its experiments: `set_state`. Its TensorBoard does not count, and is
KILLED at the end.
"""

from typing import TYPE_CHECKING

from riseml.status.values import (
    TERMINAL,
    ExperimentStatus,
    JobStatus,
    SetStatus,
    ShardStatus,
    State,
    set_state,
)

if TYPE_CHECKING:
    from riseml.status.experiments import read_experiment
    from riseml.status.outline import Outline
    from riseml.status.reader import Totals, assemble, read, read_outline, run_status

__all__ = [
    "TERMINAL",
    "ExperimentStatus",
    "JobStatus",
    "Outline",
    "SetStatus",
    "ShardStatus",
    "State",
    "Totals",
    "assemble",
    "read",
    "read_experiment",
    "read_outline",
    "run_status",
    "set_state",
]


def __getattr__(name: str) -> object:
    """Import the reader when it is first used: a list of runs needs only the values."""
    if name not in __all__:
        raise AttributeError(f"module 'riseml.status' has no attribute '{name}'")
    from riseml.status import experiments, outline, reader  # noqa: PLC0415

    globals().update(
        Outline=outline.Outline,
        Totals=reader.Totals,
        assemble=reader.assemble,
        read_outline=reader.read_outline,
        read=reader.read,
        run_status=reader.run_status,
        read_experiment=experiments.read_experiment,
    )
    return globals()[name]
