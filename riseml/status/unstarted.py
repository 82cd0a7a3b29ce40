"""Status of an experiment none of whose jobs has started: skipped, lost with its build, killed, or waiting."""

from collections.abc import Iterator

from riseml.dataclass import replace
from riseml.status import document as doc
from riseml.status import reasons
from riseml.status.document import Node
from riseml.status.jobs import SKIPPED, read_job
from riseml.status.outline import Outline
from riseml.status.values import ExperimentStatus, JobStatus, State

# Jobs that never ran have neither failed nor are they being built.
_JOB_STATES = {State.FAILED: State.KILLED, State.BUILDING: State.CREATED}


def read(
    outline: Outline, blank: ExperimentStatus, root: Node | None, position: int
) -> ExperimentStatus:
    """Return the status of an experiment whose root node was skipped or does not exist."""
    sub = outline.sub(position)
    search = outline.search(position)
    if root is not None and doc.text(root.get("phase")) not in SKIPPED:
        return _not_created(blank, root)
    if outline.build.state == State.FAILED:
        return _failed_with(blank, outline.build, "BUILD")
    if search.state == State.FAILED:
        return _failed_with(blank, search, "SEARCH")
    if root is not None or _was_killed(outline, sub):
        killed = outline.kills.time(sub) or outline.finished
        return replace(
            blank,
            state=State.KILLED,
            reason="KILLED",
            message=outline.kills.by_argo,
            finished=killed,
        )
    if outline.ended:
        return _without_nodes(outline, blank)
    return _waiting(outline, blank, search)


def jobs(
    outline: Outline, experiment: ExperimentStatus, sub: str
) -> Iterator[JobStatus]:
    """Yield the planned jobs of an experiment that has none.

    They end with it, or never start.
    """
    state = _JOB_STATES.get(experiment.state, experiment.state)
    for planned in outline.planned:
        job = read_job(planned, experiment.id, None, outline.kills, sub)
        yield replace(
            job, state=state, reason=experiment.reason, finished=experiment.finished
        )


def _was_killed(outline: Outline, sub: str) -> bool:
    return outline.build.state == State.KILLED or outline.kills.includes(sub)


def _not_created(blank: ExperimentStatus, root: Node) -> ExperimentStatus:
    """Return an experiment that the engine could not create, for example for a wrong template."""
    return replace(
        blank,
        state=State.FAILED,
        reason="PLATFORM",
        message=doc.text(root.get("message")),
        finished=doc.time(root.get("finishedAt")),
    )


def _failed_with(
    blank: ExperimentStatus, job: JobStatus, reason: str
) -> ExperimentStatus:
    """Return an experiment that needed what a job of the run should have made."""
    return replace(
        blank,
        state=State.FAILED,
        reason=reason,
        message=f"{job.id} failed: {job.message or job.reason}",
        finished=job.finished,
        exit_code=job.exit_code,
        guilty=job.id,
    )


def _without_nodes(outline: Outline, blank: ExperimentStatus) -> ExperimentStatus:
    """Return an experiment without nodes in a run that has ended.

    Argo offloaded the nodes to its database, or refused the run before it made any.
    """
    if outline.phase == "Succeeded":
        return replace(
            blank, state=State.FINISHED, reason="COMPLETED", finished=outline.finished
        )
    return replace(
        blank,
        state=State.FAILED,
        reason="PLATFORM",
        message=outline.message,
        finished=outline.finished,
    )


def _waiting(
    outline: Outline, blank: ExperimentStatus, search: JobStatus
) -> ExperimentStatus:
    """Return an experiment that waits, with what it waits for; `search` chooses its parameters."""
    build = outline.build
    if build.state != State.FINISHED:
        if not build.node_id:
            return blank
        return replace(
            blank, state=State.BUILDING, reason=build.reason, message=build.message
        )
    if outline.phase == "Pending" and outline.message:
        word, _ = reasons.waiting(outline.message)
        return replace(blank, state=State.PENDING, reason=word, message=outline.message)
    if not outline.has_nodes:
        return blank
    if outline.rounds and search.state != State.FINISHED:
        return replace(blank, reason="SEARCH")
    # The run has started, so only `concurrency` can hold the experiment back.
    return replace(blank, reason="CONCURRENCY")
