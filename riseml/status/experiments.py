"""From the nodes of one cell to the status of an experiment."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from riseml import labels
from riseml.plan import Resources
from riseml.status import document as doc
from riseml.status import jobs as reading
from riseml.status import reasons
from riseml.status.document import Node
from riseml.status.jobs import Attempts
from riseml.status.outline import Outline, PlannedJob
from riseml.status.values import ExperimentStatus, JobStatus, State, set_state

_SKIPPED = frozenset({"Skipped", "Omitted"})
_FINAL = _SKIPPED | {"Succeeded", "Failed", "Error"}


def read_experiment(
    outline: Outline, position: int, nodes: Iterable[Node]
) -> ExperimentStatus:
    """Read the cell at `position` of `withItems` (from 0) given only its nodes (the cell's own and all below it)."""
    nodes = [node for node in nodes if doc.text(node.get("name"))]
    sub = outline.sub(position)
    blank = ExperimentStatus(
        id=f"{outline.id}.{sub}" if outline.is_set else outline.id,
        sub=doc.whole(sub) if outline.is_set else None,
        parameters={
            name: doc.text(value)
            for name, value in outline.item(position).items()
            if isinstance(name, str) and not name.startswith(labels.OWN)
        },
        created=outline.created,
    )
    cell = min(nodes, key=lambda node: len(doc.text(node.get("name"))), default=None)
    if (
        cell is None
        or cell.get("type") == "Skipped"
        or doc.text(cell.get("phase")) in _SKIPPED
    ):
        experiment = _without_jobs(outline, blank, cell, sub)
        return replace(experiment, jobs=tuple(_planned(outline, experiment, sub)))
    name, attempt = _last_attempt(cell, nodes)
    tasks = reading.by_task(f"{name}.", nodes)
    jobs = [
        reading.read_job(job, blank.id, tasks.get(job.task), outline.kills, sub)
        for job in outline.planned
    ]
    if attempt:
        jobs = [replace(job, attempt=attempt) for job in jobs]
    experiment = _between(
        outline, _judge(outline, blank, cell, jobs, sub), cell, attempt
    )
    found = [
        (job, tasks[planned.task])
        for job, planned in zip(jobs, outline.planned, strict=True)
        if planned.task in tasks
    ]
    began = (reading.began(task) for job, task in found if job.started)
    return replace(
        experiment,
        started=min(filter(None, began), default=None),
        result=next(filter(None, (reading.result(task) for _, task in found)), None),
        progress=next(
            filter(None, (reading.progress(task) for _, task in found)), None
        ),
    )


def _without_jobs(
    outline: Outline, blank: ExperimentStatus, cell: Node | None, sub: str
) -> ExperimentStatus:
    """Return an experiment none of whose jobs has begun: skipped, lost with its build, killed, or waiting."""
    build = outline.build
    killed_at = outline.kills.time(sub) or outline.finished
    if cell is not None and doc.text(cell.get("phase")) not in _SKIPPED:
        finished, message = (
            doc.moment(cell.get("finishedAt")),
            doc.text(cell.get("message")),
        )
        return replace(
            blank,
            state=State.FAILED,
            reason="PLATFORM",
            message=message,
            finished=finished,
        )
    if build is not None and build.state == State.FAILED:
        message = f"{build.id} failed: {build.message or build.reason}"
        return replace(blank, state=State.FAILED, reason="BUILD", message=message, finished=build.finished,
                       exit_code=build.exit_code, guilty=build.id)  # fmt: skip
    if (
        cell is not None
        or outline.kills.asked(sub)
        or (build is not None and build.state == State.KILLED)
    ):
        return replace(blank, state=State.KILLED, reason="KILLED", finished=killed_at)
    return _left(outline, blank) if outline.ended else _waiting(outline, blank)


def _left(outline: Outline, blank: ExperimentStatus) -> ExperimentStatus:
    """Return an experiment without a node in a run that has ended: its nodes were offloaded, or it was refused."""
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


def _waiting(outline: Outline, blank: ExperimentStatus) -> ExperimentStatus:
    """Return an experiment whose turn has not come, with what it waits for."""
    build = outline.build
    if build is not None and build.state != State.FINISHED:
        if not build.node_id:
            return blank
        return replace(
            blank, state=State.BUILDING, reason=build.reason, message=build.message
        )
    if outline.phase == "Pending" and outline.message:
        return replace(
            blank,
            state=State.PENDING,
            reason=reasons.waiting(outline.message)[0],
            message=outline.message,
        )
    return replace(blank, reason="CONCURRENCY" if outline.begun else "")


def _planned(
    outline: Outline, experiment: ExperimentStatus, sub: str
) -> Iterable[JobStatus]:
    """Yield the jobs of an experiment that has none yet; they end with it, or will never begin."""
    state = State.KILLED if experiment.state == State.FAILED else experiment.state
    waits = State.CREATED if state == State.BUILDING else state
    for planned in outline.planned:
        job = reading.read_job(planned, experiment.id, None, outline.kills, sub)
        yield replace(
            job, state=waits, reason=experiment.reason, finished=experiment.finished
        )


def _last_attempt(cell: Node, nodes: Sequence[Node]) -> tuple[str, int]:
    """Return the name below which the jobs of the cell's last attempt lie, and the number of that attempt."""
    name = doc.text(cell.get("name"))
    if cell.get("type") != "Retry":
        return name, 0
    rests = (doc.text(node.get("name"))[len(name) :] for node in nodes)
    last = max(
        (
            doc.whole(rest[1:-1]) or 0
            for rest in rests
            if rest[:1] == "(" and rest[-1:] == ")"
        ),
        default=None,
    )
    return (name, 0) if last is None else (f"{name}({last})", last)


def _between(
    outline: Outline, experiment: ExperimentStatus, cell: Node, attempt: int
) -> ExperimentStatus:
    """Return what is said of an experiment that waits for its next attempt, all jobs of the last one having ended."""
    over = (
        outline.ended
        or cell.get("type") != "Retry"
        or doc.text(cell.get("phase")) in _FINAL
    )
    if over or experiment.state is not State.FAILED:
        return experiment
    said = f"attempt {attempt + 1} failed: {experiment.guilty}: {experiment.message or experiment.reason}"
    return replace(
        experiment, state=State.PENDING, reason="RETRY", message=said, finished=None
    )


def _judge(
    outline: Outline,
    blank: ExperimentStatus,
    cell: Node,
    jobs: list[JobStatus],
    sub: str,
) -> ExperimentStatus:
    """Return an experiment by what its jobs say; a daemon counts only where its end brought others down."""
    daemons = {
        job.id
        for job, planned in zip(jobs, outline.planned, strict=True)
        if planned.daemon
    }
    if outline.ended or doc.text(cell.get("phase")) in _FINAL:
        jobs = [_closed(outline, job, sub, daemon=job.id in daemons) for job in jobs]
    deciding = [job for job in jobs if job.id not in daemons] or jobs
    if not deciding:
        return _by_cell(outline, blank, cell, sub)
    if any(not job.state.is_terminal for job in deciding):
        return _going(blank, deciding, jobs)
    ended = max((job.finished for job in deciding if job.finished), default=None)
    guilty = min(
        (job for job in jobs if job.state == State.FAILED), key=_guilt, default=None
    )
    if guilty is None or all(job.state != State.FAILED for job in deciding):
        last = next((job for job in deciding if job.state == State.KILLED), deciding[0])
        guilty = None
    else:
        last = guilty
    others = "KILLED" if guilty is None else "PEER"
    return replace(
        blank,
        state=last.state,
        reason=last.reason,
        message=last.message,
        exit_code=last.exit_code,
        guilty=guilty.id if guilty else None,
        finished=ended,
        jobs=tuple(
            _beside(job, last, others, ended, daemon=job.id in daemons) for job in jobs
        ),
    )


def _closed(outline: Outline, job: JobStatus, sub: str, *, daemon: bool) -> JobStatus:
    """Return what became of a job when its experiment, or the run, had ended around it."""
    if job.state.is_terminal or (job.reason == reasons.STOPPING and not outline.ended):
        return job
    if outline.kills.asked(sub):
        return replace(
            job,
            state=State.KILLED,
            reason="KILLED",
            message="",
            finished=outline.kills.time(sub),
        )
    if daemon and job.state == State.RUNNING:
        return replace(job, state=State.FINISHED, reason="STOPPED", message="")
    if not job.node_id:
        return replace(job, state=State.KILLED, reason="PEER")
    return replace(
        job,
        state=State.FAILED,
        reason="PLATFORM",
        message=outline.message or job.message,
    )


def _by_cell(
    outline: Outline, blank: ExperimentStatus, cell: Node, sub: str
) -> ExperimentStatus:
    """Return an experiment of a document that plans no jobs, by the phase of its cell alone."""
    planned = PlannedJob("", "", None, Resources(), daemon=False, attempts=1)
    job = reading.read_job(planned, "", Attempts(cell), outline.kills, sub)
    return replace(
        blank,
        state=job.state,
        reason=job.reason,
        message=job.message,
        finished=job.finished,
    )


def _going(
    blank: ExperimentStatus, deciding: list[JobStatus], jobs: list[JobStatus]
) -> ExperimentStatus:
    """Return an experiment that goes on; it waits for what its least advanced job waits for."""
    counts = Counter(job.state for job in deciding)
    state = set_state(counts)
    waiting = next(
        (job for job in deciding if job.state == state and state != State.RUNNING), None
    )
    if waiting is None:
        return replace(blank, state=state, jobs=tuple(jobs))
    return replace(
        blank,
        state=state,
        reason=waiting.reason,
        message=waiting.message,
        jobs=tuple(jobs),
    )


def _guilt(job: JobStatus) -> tuple[bool, datetime]:
    """Order failed jobs by who failed first; what only looks ended from outside comes last."""
    return _looks_ended(job), job.finished or datetime.max.replace(tzinfo=UTC)


def _looks_ended(job: JobStatus) -> bool:
    return "pod deleted" in job.message or reasons.from_outside(
        job.reason, job.exit_code
    )


def _beside(
    job: JobStatus,
    last: JobStatus,
    others: str,
    ended: datetime | None,
    *,
    daemon: bool,
) -> JobStatus:
    """Return a job of an ended experiment that `last` decided: a daemon ended with it, a peer was ended by it.

    Argo's finishedAt of a daemon is when it became ready, and one that is ended late is Failed.
    """
    if job.id == last.id:
        return job
    if daemon and (
        job.state == State.FINISHED
        or _looks_ended(job)
        or (last.exit_code == 0 and job.exit_code == 0)
    ):
        stopped = State.FINISHED if last.state == State.FINISHED else State.KILLED
        word = "STOPPED" if last.state == State.FINISHED else others
        return replace(
            job, state=stopped, reason=word, message="", exit_code=None, finished=ended
        )
    peer = others == "PEER" and (
        _looks_ended(job) if job.state == State.FAILED else "pod deleted" in job.message
    )
    return replace(job, state=State.KILLED, reason="PEER", message="") if peer else job
