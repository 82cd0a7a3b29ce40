"""Status of a run, read from its document: first the outline, then each experiment."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from riseml import labels, marks
from riseml.dataclass import replace
from riseml.plan import GitState, Metric
from riseml.status import document as doc
from riseml.status import reasons, submitter, suspension
from riseml.status.document import Node
from riseml.status.experiments import read_experiment
from riseml.status.jobs import SKIPPED, by_task, read_job
from riseml.status.outline import Outline, sketch
from riseml.status.values import (
    ExperimentStatus,
    JobStatus,
    SetStatus,
    ShardStatus,
    State,
    set_state,
)


def read(
    document: Mapping[str, Any],
    recorded: Mapping[int | None, ExperimentStatus] | None = None,
) -> SetStatus:
    """Read a complete document; missing fields are no error.

    `recorded` are experiments by position that are known already, so their nodes are not
    read.
    """
    recorded = recorded or {}
    document = doc.mapping(document)
    outline = sketch(document)
    nodes_by_position: dict[int | None, list[Node]] = {}
    # One pass for all experiments: a large set has many thousands of nodes.
    for node in doc.nodes(document):
        nodes_by_position.setdefault(outline.position(node), []).append(node)
    # Nodes without a position belong to the run itself.
    outline = _with_jobs(outline, nodes_by_position.get(None, []))
    experiments = []
    for position in range(len(outline.items)):
        experiment = recorded.get(position)
        if experiment is None:
            nodes = nodes_by_position.get(position, ())
            experiment = read_experiment(outline, position, nodes)
        experiments.append(experiment)
    return assemble(outline, experiments)


class Totals:
    """What the experiments of a run add up to; `counts` are those in each state."""

    def __init__(self) -> None:
        self.counts: dict[State, int] = {}
        self.started: datetime | None = None
        self.finished: datetime | None = None

    def add(self, experiment: ExperimentStatus) -> None:
        """Add the next experiment."""
        state, started = experiment.state, experiment.started
        self.counts[state] = self.counts.get(state, 0) + 1
        if started is not None:
            self.started = min(started, self.started or started)
        finished = experiment.finished
        if finished is not None:
            self.finished = max(finished, self.finished or finished)


def read_outline(
    document: Mapping[str, Any], run_nodes: Iterable[Node] | None = None
) -> Outline:
    """Read what all experiments share.

    `run_nodes` are the nodes that belong to no experiment; None takes them from the document.
    """
    outline = sketch(doc.mapping(document))
    if run_nodes is None:
        nodes = doc.nodes(document)
        run_nodes = (node for node in nodes if outline.position(node) is None)
    return _with_jobs(outline, list(run_nodes))


def assemble(outline: Outline, experiments: Iterable[ExperimentStatus]) -> SetStatus:
    """Return the status of a run from its outline and its experiments.

    Without experiments, as in a list of runs, it holds what the document says of the run.
    """
    experiments = tuple(experiments)
    totals = Totals()
    for experiment in experiments:
        totals.add(experiment)
    return replace(run_status(outline, totals), experiments=experiments)


def run_status(outline: Outline, totals: Totals) -> SetStatus:
    """Return the status of a run without its experiments, which add up to `totals`."""
    metadata = doc.mapping(outline.document.get("metadata"))
    tags = doc.mapping(metadata.get("labels"))
    notes = doc.mapping(metadata.get("annotations"))
    state = set_state(totals.counts)
    reason, message = suspension.reason_of_run(outline, totals.counts)
    finished = None
    if state.is_terminal:
        finished = totals.finished or outline.finished
    return SetStatus(
        id=outline.id,
        name=outline.name,
        user=doc.text(tags.get(labels.USER)),
        project=doc.text(tags.get(labels.PROJECT)),
        number=doc.integer(tags.get(labels.NUMBER)),
        is_set=outline.is_set,
        state=state,
        created=outline.created,
        started=totals.started,
        finished=finished,
        reason=reason,
        message=message or outline.message,
        counts=totals.counts,
        concurrency=outline.concurrency,
        image=outline.image,
        base_image=doc.text(notes.get(labels.BASE_IMAGE)),
        runner=doc.text(notes.get(labels.RUNNER)),
        framework=doc.text(tags.get(labels.FRAMEWORK)),
        run=outline.run,
        install=outline.install,
        revision=doc.text(notes.get(labels.REVISION)),
        excluded=_excluded(notes.get(labels.EXCLUDED)),
        git=_git(notes.get(labels.GIT)),
        image_key=_image_key(tags, outline.image),
        config=doc.text(notes.get(labels.CONFIG)),
        metrics=metrics(notes.get(labels.METRICS)),
        shards=_shards(outline, tags, notes),
        seed=_seed(notes),
        marks=marks.read(metadata),
        submitter=submitter.read(tags, notes),
        jobs=outline.jobs,
    )


def _shards(
    outline: Outline, tags: Mapping[str, Any], notes: Mapping[str, Any]
) -> tuple[ShardStatus, ...]:
    """Return the Workflow if it is one of several."""
    if labels.SHARD not in tags:
        return ()
    shard = ShardStatus(
        outline.shard,
        outline.name,
        doc.text(notes.get(labels.REVISION)),
        doc.text(notes.get(labels.CONFIG)),
        doc.text(notes.get(labels.BASE_IMAGE)),
        tags.get(labels.ADDED) == "true",
        _seed(notes),
        doc.text(notes.get(labels.RUNNER)),
    )
    return (shard,)


def _seed(notes: Mapping[str, Any]) -> int | None:
    search = doc.mapping(doc.json_value(notes.get(labels.SEARCH)))
    return doc.integer(search.get("seed"))


def _image_key(tags: Mapping[str, Any], image: str) -> str:
    """Return the key of the image that install steps made, for this run or an earlier one."""
    built = doc.text(tags.get(labels.IMAGE_KEY))
    _, _, existing = image.partition(labels.ENVIRONMENT)
    return built or existing


def _excluded(annotation: object) -> dict[str, tuple[str, ...]]:
    """Return what each ignore file left out of the code."""
    paths = {}
    for source, names in doc.mapping(doc.json_value(annotation)).items():
        paths[source] = tuple(map(doc.text, doc.items(names)))
    return paths


def _git(annotation: object) -> GitState | None:
    """Return the user's own repository, None where it is not recorded."""
    fields = doc.mapping(doc.json_value(annotation))
    commit = doc.text(fields.get("commit"))
    if not commit:
        return None
    dirty = fields.get("dirty")
    return GitState(
        commit,
        doc.text(fields.get("branch")),
        dirty if isinstance(dirty, bool) else None,
    )


def metrics(value: object) -> tuple[Metric, ...]:
    """Return the metrics of the annotation METRICS, none where it is absent or damaged."""
    named = []
    for item in doc.mappings(doc.json_value(value)):
        name = doc.text(item.get("name"))
        mode = doc.text(item.get("mode"))
        pattern = doc.text(item.get("pattern"))
        named.append(Metric(name, mode, pattern))
    return tuple(named)


def _with_jobs(outline: Outline, run_nodes: list[Node]) -> Outline:
    """Return an outline with the status of the run's own jobs."""
    tasks = by_task(f"{outline.name}.", run_nodes)
    jobs = []
    for planned in outline.run_planned:
        nodes = tasks.get(planned.task)
        job = read_job(planned, outline.id, nodes, outline.kills, "*")
        jobs.append(_at_end_of_run(outline, job, is_daemon=planned.daemon))
    jobs += _search_jobs(outline, run_nodes)
    return replace(outline, jobs=tuple(jobs), has_nodes=bool(run_nodes))


def _search_jobs(outline: Outline, run_nodes: list[Node]) -> Iterator[JobStatus]:
    """Yield the jobs that choose parameters, those of later rounds only when they start."""
    if not outline.set_planned:
        return
    tasks = by_task(f"{outline.name}.{outline.set_name}.", run_nodes)
    for planned in outline.set_planned:
        nodes = tasks.get(planned.task)
        if nodes is None or doc.text(nodes.node.get("phase")) in SKIPPED:
            continue
        job = read_job(planned, outline.id, nodes, outline.kills, "*")
        yield _at_end_of_run(outline, job, is_daemon=False)


def _at_end_of_run(outline: Outline, job: JobStatus, *, is_daemon: bool) -> JobStatus:
    """Return a job of the run itself.

    A job that has not ended by itself ends with the run.
    """
    if outline.ended and is_daemon and job.node_id and not _failed_by_itself(job):
        # Argo stops a daemon when the run ends, and reports that as a failure.
        return replace(
            job,
            state=State.KILLED,
            reason="KILLED",
            message="",
            exit_code=None,
            finished=outline.finished,
        )
    if job.state.is_terminal:
        return job
    # A kill of the run also keeps its build or TensorBoard from starting.
    never_starts = outline.kills.includes("*") and not job.node_id
    if not outline.ended and not never_starts:
        return job
    return replace(job, state=State.KILLED, reason="KILLED", message=outline.message)


def _failed_by_itself(job: JobStatus) -> bool:
    if job.state != State.FAILED or job.exit_code == 0:
        return False
    return not reasons.from_outside(job.reason, job.exit_code)
