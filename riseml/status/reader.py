"""From a document to values: the outline, then cell by cell."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from riseml import labels
from riseml.status import document as doc
from riseml.status import reasons
from riseml.status.document import Node
from riseml.status.experiments import read_experiment
from riseml.status.jobs import by_task, read_job
from riseml.status.outline import Outline, sketch
from riseml.status.values import (
    ExperimentStatus,
    JobStatus,
    SetStatus,
    State,
    count,
    set_state,
)


def read(document: Mapping[str, Any]) -> SetStatus:
    """Read a whole document; never fails, whatever is missing in it."""
    document = doc.mapping(document)
    plan = sketch(document)
    own: list[Node] = []
    cells: dict[int, list[Node]] = {}
    for node in doc.nodes(document):
        position = plan.position(node)
        (own if position is None else cells.setdefault(position, [])).append(node)
    plan = _with_own(plan, own)
    return assemble(
        plan,
        [read_experiment(plan, i, cells.get(i, ())) for i in range(len(plan.items))],
    )


def read_outline(
    document: Mapping[str, Any], own: Iterable[Node] | None = None
) -> Outline:
    """Read what all cells share; `own` are the nodes outside the cells (None: found among `status.nodes`)."""
    plan = sketch(doc.mapping(document))
    if own is None:
        own = (node for node in doc.nodes(document) if plan.position(node) is None)
    return _with_own(plan, list(own))


def _with_own(plan: Outline, own: list[Node]) -> Outline:
    tasks = by_task(f"{plan.name}.", own)
    jobs = [
        _own(
            plan,
            read_job(job, plan.id, tasks.get(job.task), plan.kills, "*"),
            daemon=job.daemon,
        )
        for job in plan.own
    ]
    return replace(plan, jobs=tuple(jobs), begun=bool(own))


def _own(plan: Outline, job: JobStatus, *, daemon: bool) -> JobStatus:
    """Return a job of the run itself; a daemon was stopped with it, and what has not begun by then never will."""
    failed = (
        job.state == State.FAILED
        and job.exit_code != 0
        and not reasons.from_outside(job.reason, job.exit_code)
    )
    if plan.ended and daemon and job.node_id and not failed:
        return replace(
            job,
            state=State.KILLED,
            reason="KILLED",
            message="",
            exit_code=None,
            finished=plan.finished,
        )
    if job.state.is_terminal or not (
        plan.ended or (plan.kills.asked("*") and not job.node_id)
    ):
        return job
    return replace(job, state=State.KILLED, reason="KILLED", message=plan.message)


def assemble(outline: Outline, experiments: Iterable[ExperimentStatus]) -> SetStatus:
    """Return the run's status from its experiments'; without them (a list of runs) it says what the document says."""
    experiments = tuple(experiments)
    document, counts = outline.document, count(experiments)
    metadata = doc.mapping(document.get("metadata"))
    tags, notes = (
        doc.mapping(metadata.get("labels")),
        doc.mapping(metadata.get("annotations")),
    )
    state = set_state(counts)
    ends = (experiment.finished for experiment in experiments if experiment.finished)
    return SetStatus(
        id=outline.id,
        name=outline.name,
        user=doc.text(tags.get(labels.USER)),
        project=doc.text(tags.get(labels.PROJECT)),
        number=doc.whole(tags.get(labels.NUMBER)),
        is_set=outline.is_set,
        state=state,
        created=outline.created,
        started=min(
            (experiment.started for experiment in experiments if experiment.started),
            default=None,
        ),
        finished=max(ends, default=outline.finished) if state.is_terminal else None,
        message=outline.message,
        counts=counts,
        concurrency=outline.concurrency,
        image=outline.image,
        base_image=doc.text(notes.get(labels.BASE_IMAGE)),
        framework=doc.text(tags.get(labels.FRAMEWORK)),
        run=outline.run,
        install=outline.install,
        revision=doc.text(notes.get(labels.REVISION)),
        config=doc.text(notes.get(labels.CONFIG)),
        experiments=experiments,
        jobs=outline.jobs,
    )
