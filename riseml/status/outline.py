"""Part of a document that all experiments share, read once: ids, planned jobs, kills, the build."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from riseml import labels, templating
from riseml.dataclass import dataclass, replace
from riseml.plan import Resources
from riseml.status import document as doc
from riseml.status import kills, template_runs
from riseml.status.document import Node
from riseml.status.kills import Kills
from riseml.status.positions import Positions, Rounds, rounds_of
from riseml.status.values import JobStatus, State

_TAG = re.compile(
    r"\{\{(?:inputs\.parameters\.([\w-]+)"
    r"|=replace\(inputs\.parameters\['([\w-]+)'\], '\$', '\$\$'\))\}\}"
)

SEARCH = "search"
"""The type of jobs that choose the parameters of a round."""

ENDED = frozenset({"Succeeded", "Failed", "Error"})

_NO_BUILD = JobStatus("", "build", state=State.FINISHED)
_NO_SEARCH = JobStatus("", SEARCH)


@dataclass(frozen=True)
class PlannedJob:
    """One task of a template; it may run `attempts` times, each for `timeout` seconds.

    An engine ends the pods of some documents at this time (`has_pod_deadline`); in others,
    the run script ends the lines. One that `holds` is kept for some time when it has failed.
    One that `may_release` gives its resources back and starts again where the others of its
    gang find no room.
    """

    task: str
    type: str
    index: int | None
    resources: Resources
    daemon: bool
    attempts: int
    timeout: int | None = None
    holds: bool = False
    may_release: bool = False
    has_pod_deadline: bool = False


@dataclass(frozen=True)
class Outline:
    """The part of a document that all its experiments share.

    `planned` are the jobs of each experiment, `run_planned` those of the run itself, whose
    status is in `jobs`; `set_planned` are those of them that are tasks of `set_name`.
    `items` distinguish the experiments. `rounds` is None unless a search chooses their
    parameters while the run goes on. `has_nodes` is True once the run has nodes of its own.
    `is_suspended` means that Argo starts nothing more until it is asked to resume the run.
    """

    document: Mapping[str, Any]
    id: str
    name: str
    is_set: bool
    shard: int
    created: datetime | None
    phase: str
    message: str
    items: Sequence[Any]
    concurrency: int | None
    positions: Positions
    planned: tuple[PlannedJob, ...]
    run_planned: tuple[PlannedJob, ...]
    kills: Kills
    image: str
    run: tuple[str, ...]
    install: tuple[str, ...]
    set_name: str = "set"
    set_planned: tuple[PlannedJob, ...] = ()
    rounds: Rounds | None = None
    has_nodes: bool = False
    is_suspended: bool = False
    jobs: tuple[JobStatus, ...] = ()

    @property
    def ended(self) -> bool:
        """Whether the engine has ended the run."""
        return self.phase in ENDED

    @property
    def finished(self) -> datetime | None:
        """When the engine ended the run."""
        return doc.time(doc.inner(self.document, "status").get("finishedAt"))

    @property
    def build(self) -> JobStatus:
        """The job that builds an image, the one that has not finished if there are several.

        A plan without one has a finished build.
        """
        builds = filter(_is_build, self.jobs)
        return min(builds, key=_is_finished, default=_NO_BUILD)

    def search(self, position: int) -> JobStatus:
        """Return the job that chooses the parameters of an experiment, or that failed before it could.

        Without such a job, it is one that was not created yet.
        """
        if self.rounds is None:
            return _NO_SEARCH
        jobs = {job.index: job for job in self.jobs if job.type == SEARCH}
        last = self.rounds.round_of(position)
        for index in range(1, last):
            job = jobs.get(index, _NO_SEARCH)
            if job.state == State.FAILED:
                return job
        return jobs.get(last, _NO_SEARCH)

    def sub(self, position: int) -> str:
        """Return the number of the experiment at `position` (from 0), as annotations and labels write it."""
        sub = doc.text(self.item(position).get(labels.SUB_PARAMETER))
        return sub or str(position + 1)

    def earlier_attempts(self, position: int) -> int:
        """Return how many attempts an experiment had in earlier Workflows of its set."""
        return doc.integer(self.item(position).get(labels.EARLIER_PARAMETER)) or 0

    def resume(self, position: int) -> str | None:
        """Return the folder in the output volume that an experiment continues."""
        path = self.item(position).get(labels.RESUME_PARAMETER)
        if path is None:
            return None
        folder = doc.text(path)
        return "" if folder.endswith(f"/{labels.EMPTY_FOLDER}") else folder

    def item(self, position: int) -> Mapping[str, Any]:
        """Return the parameters of the experiment at `position`, the user's and RiseML's."""
        if not 0 <= position < len(self.items):
            return {}
        return doc.mapping(self.items[position])

    def position(self, node: Node) -> int | None:
        """Return the position of the experiment that a node belongs to, None for the run's own nodes."""
        return self.positions.of(doc.text(node.get("name")))


def _is_build(job: JobStatus) -> bool:
    return job.type in labels.BUILD_TYPES


def _is_finished(job: JobStatus) -> bool:
    return job.state == State.FINISHED


def sketch(document: Mapping[str, Any]) -> Outline:
    """Read an outline without its jobs: metadata, spec and the phase of the run."""
    metadata = doc.mapping(document.get("metadata"))
    spec = template_runs.spec_of(document)
    status = doc.mapping(document.get("status"))
    tags = doc.mapping(metadata.get("labels"))
    notes = doc.mapping(metadata.get("annotations"))
    templates = doc.named(spec.get("templates"))
    main = _tasks(templates.get(doc.text(spec.get("entrypoint"))))
    set_task, set_template, experiment = _experiment_task(main, templates)
    experiment_template = templates.get(doc.text(experiment.get("template")), {})
    tasks = _tasks(experiment_template)
    run_tasks = [task for task in main if doc.text(task.get("name")) != set_task]
    search_tasks = list(filter(_is_search, _tasks(set_template)))
    rounds = rounds_of(notes)
    positions = Positions(f".{set_task}.{doc.text(experiment.get('name'))}(")
    if rounds:
        positions = Positions(f".{set_task}.", rounds.batch, rounds.offset)
    image, install = _image(templates, tasks)
    items = _items(experiment, rounds)
    if not items:
        items = template_runs.items_of(document, experiment, positions)
    stops = kills.read(spec, notes, tags)
    return Outline(
        document=document,
        id=_id(metadata, tags),
        name=doc.text(metadata.get("name")),
        is_set=tags.get(labels.KIND) == "set",
        shard=doc.integer(tags.get(labels.SHARD)) or 1,
        created=doc.time(metadata.get("creationTimestamp")),
        phase=doc.text(status.get("phase")),
        message=stops.by_argo or doc.text(status.get("message")),
        items=items,
        concurrency=doc.integer(set_template.get("parallelism")),
        positions=positions,
        planned=_planned(tasks, templates, _attempts(experiment_template)),
        run_planned=_planned(run_tasks, templates),
        kills=stops,
        image=image,
        run=_run(templates, tasks, items),
        install=install,
        set_name=set_task,
        set_planned=_planned(search_tasks, templates),
        rounds=rounds,
        is_suspended=spec.get("suspend") is True and status.get("phase") not in ENDED,
    )


def _items(experiment: Node, rounds: Rounds | None) -> list[Any]:
    """Return what distinguishes the experiments."""
    if rounds:
        return list(rounds.items())
    return doc.items(experiment.get("withItems"))


def _is_search(task: Node) -> bool:
    """Return whether a task chooses the parameters of a round."""
    name = doc.text(task.get("name"))
    return task.get("template") == SEARCH and name.startswith(f"{SEARCH}-")


def _id(metadata: Mapping[str, Any], tags: Mapping[str, Any]) -> str:
    number = doc.text(tags.get(labels.NUMBER))
    name = doc.text(metadata.get("name"))
    # A document that was not submitted yet has only the beginning of its name.
    prefix = doc.text(metadata.get("generateName")).rstrip("-")
    return number or name or prefix or "?"


def _tasks(template: Any) -> list[Mapping[str, Any]]:
    return doc.mappings(doc.inner(template, "dag").get("tasks"))


def _experiment_task(
    main: list[Node], templates: Mapping[str, Node]
) -> tuple[str, Node, Node]:
    """Return the name of the set's task, the set's template, and its task for every experiment."""
    for task in main:
        template = templates.get(doc.text(task.get("template")), {})
        for inner_task in _tasks(template):
            has_items = isinstance(inner_task.get("withItems"), list)
            if has_items or doc.text(inner_task.get("withParam")):
                return doc.text(task.get("name")), template, inner_task
    return "set", {}, {"name": "experiment"}


def _planned(
    tasks: list[Node], templates: Mapping[str, Node], attempts: int = 1
) -> tuple[PlannedJob, ...]:
    """Return the jobs of tasks that are retried together, in at most `attempts` attempts."""
    types = [doc.text(task.get("template")) for task in tasks]
    jobs = []
    for task, type_ in zip(tasks, types, strict=True):
        is_single = types.count(type_) == 1
        template = templates.get(type_, {})
        job = _planned_job(task, type_, template, is_single=is_single)
        jobs.append(replace(job, attempts=max(job.attempts, attempts)))
    return tuple(jobs)


def _planned_job(
    task: Node, type_: str, template: Node, *, is_single: bool
) -> PlannedJob:
    # Jobs of one type share a template, so their index is an argument.
    index = None
    arguments = doc.parameters(task.get("arguments"))
    if type_ == SEARCH:
        index = doc.integer(arguments.get(labels.ROUND_PARAMETER))
    elif not is_single:
        index = doc.integer(arguments.get(labels.INDEX_PARAMETER))
    holds = labels.HELD in doc.parameters(template.get("outputs"))
    variables = doc.variables(doc.mapping(template.get("container")))
    timeout = doc.integer(variables.get(labels.TIMEOUT_VARIABLE))
    has_pod_deadline = timeout is None and not holds
    if has_pod_deadline:
        timeout = doc.integer(template.get("activeDeadlineSeconds"))
    return PlannedJob(
        task=doc.text(task.get("name")),
        type=type_,
        index=index,
        resources=doc.resources(template),
        daemon=template.get("daemon") is True,
        attempts=_attempts(template),
        may_release=_may_release(template),
        timeout=timeout,
        holds=holds,
        has_pod_deadline=has_pod_deadline,
    )


def _may_release(template: Node) -> bool:
    expression = doc.text(doc.inner(template, "retryStrategy").get("expression"))
    return labels.RELEASED_CODE in expression


def _attempts(template: Node) -> int:
    # Giving resources back is not an attempt.
    if _may_release(template):
        return 1
    limit = doc.integer(doc.inner(template, "retryStrategy").get("limit"))
    return (limit or 0) + 1


def _image(
    templates: Mapping[str, Node], tasks: list[Node]
) -> tuple[str, tuple[str, ...]]:
    """Return the image that riseml.yml names, and the install steps on top of it."""
    build = doc.named(doc.inner(templates.get("build"), "container").get("env"))
    # With install steps, jobs run what the build makes, so only the build names the base.
    if build:
        base = build.get("RISEML_BASE_IMAGE", {}).get("value")
        steps = build.get("RISEML_INSTALL", {}).get("value")
        return doc.text(base), doc.texts(steps)
    container = doc.inner(_first_template(templates, tasks), "container")
    return doc.text(container.get("image")), ()


def _run(
    templates: Mapping[str, Node], tasks: list[Node], items: Sequence[Any]
) -> tuple[str, ...]:
    """Return the user's commands: the arguments of the first job after its run script."""
    # Argo's parameters have no dots in their names.
    names = {str(key).replace(".", "_"): key for key in doc.mapping(items[0])}
    container = doc.inner(_first_template(templates, tasks), "container")
    commands = []
    arguments = doc.items(container.get("args"))[2:]
    if arguments and str(arguments[0]).startswith(templating.FUNCTIONS):
        arguments = arguments[1:]
    for argument in arguments:
        if isinstance(argument, str):
            # Kubernetes reads `$$` as `$`.
            command = _TAG.sub(partial(_placeholder, names), argument)
            commands.append(command.replace("$$", "$"))
    return tuple(commands)


def _placeholder(names: Mapping[str, str], tag: re.Match[str]) -> str:
    """Return what riseml.yml has for a tag of Argo."""
    name = tag[1] or tag[2]
    return f"{{{{{names.get(name, name)}}}}}"


def _first_template(templates: Mapping[str, Node], tasks: list[Node]) -> Node | None:
    return templates.get(doc.text(tasks[0].get("template"))) if tasks else None
