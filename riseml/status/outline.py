"""What all cells of one document share, read once: ids, planned jobs, kills, the build."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from riseml import labels
from riseml.plan import Resources
from riseml.status import document as doc
from riseml.status.document import Node
from riseml.status.values import JobStatus

_TAG = re.compile(r"\{\{inputs\.parameters\.([\w-]+)\}\}")

ENDED = frozenset({"Succeeded", "Failed", "Error"})


@dataclass(frozen=True)
class Kills:
    """Who was killed when, from the annotation and `spec.shutdown`; a time is None where nobody wrote it."""

    entries: Mapping[str, datetime | None]
    shutdown: bool

    def asked(self, sub: str) -> bool:
        """Whether the experiment `sub`, or the whole run (`*`), was asked to end."""
        return self.shutdown or sub in self.entries or "*" in self.entries

    def time(self, sub: str) -> datetime | None:
        """Return when that was asked first."""
        return min(
            filter(None, (self.entries.get(sub), self.entries.get("*"))), default=None
        )


@dataclass(frozen=True)
class PlannedJob:
    """One task of the `experiment` template; `attempts` is how often it may run."""

    task: str
    type: str
    index: int | None
    resources: Resources
    daemon: bool
    attempts: int


@dataclass(frozen=True)
class Outline:
    """What all cells of one document share; `marker` stands in every node's name before the position of its cell."""

    document: Mapping[str, Any]
    id: str
    name: str
    is_set: bool
    created: datetime | None
    phase: str
    message: str
    items: Sequence[Any]
    concurrency: int | None
    marker: str
    planned: tuple[PlannedJob, ...]
    own: tuple[PlannedJob, ...]
    kills: Kills
    image: str
    run: tuple[str, ...]
    install: tuple[str, ...]
    begun: bool = False
    jobs: tuple[JobStatus, ...] = ()

    @property
    def ended(self) -> bool:
        """Whether the engine has ended the run as a whole."""
        return self.phase in ENDED

    @property
    def finished(self) -> datetime | None:
        """When the engine ended the run."""
        return doc.moment(doc.inner(self.document, "status").get("finishedAt"))

    @property
    def build(self) -> JobStatus | None:
        """The job that builds the image, None where the plan has none."""
        return next((job for job in self.jobs if job.type == "build"), None)

    def sub(self, position: int) -> str:
        """Return the number of the cell at `position`, as annotations and labels write it."""
        return doc.text(self.item(position).get(labels.SUB_PARAMETER)) or str(
            position + 1
        )

    def item(self, position: int) -> Mapping[str, Any]:
        """Return what distinguishes the cell at `position`: the user's parameters and our own."""
        return (
            doc.mapping(self.items[position]) if 0 <= position < len(self.items) else {}
        )

    def position(self, node: Node) -> int | None:
        """Return which cell a node belongs to, None for the run's own nodes."""
        _, found, rest = doc.text(node.get("name")).partition(self.marker)
        return doc.whole(rest[: rest.find(":")]) if found else None


def sketch(document: Mapping[str, Any]) -> Outline:
    """Read all of an outline that stands in metadata and spec, and the run's phase."""
    metadata, spec, status = (
        doc.mapping(document.get(key)) for key in ("metadata", "spec", "status")
    )
    tags, notes = (
        doc.mapping(metadata.get("labels")),
        doc.mapping(metadata.get("annotations")),
    )
    templates = doc.named(spec.get("templates"))
    name, number = doc.text(metadata.get("name")), doc.text(tags.get(labels.NUMBER))
    main = _tasks(templates.get(doc.text(spec.get("entrypoint"))))
    set_task, set_template, cell = _cell(main, templates)
    items = cell.get("withItems")
    tasks = _tasks(templates.get(doc.text(cell.get("template"))))
    image, install = _image(templates, tasks)
    return Outline(
        document=document,
        id=number or name or doc.text(metadata.get("generateName")).rstrip("-") or "?",
        name=name,
        is_set=tags.get(labels.KIND) == "set",
        created=doc.moment(metadata.get("creationTimestamp")),
        phase=doc.text(status.get("phase")),
        message=doc.text(status.get("message")),
        items=items if isinstance(items, list) and items else [{}],
        concurrency=doc.whole(set_template.get("parallelism")),
        marker=f".{set_task}.{doc.text(cell.get('name'))}(",
        planned=_planned(tasks, templates),
        own=_planned(
            [task for task in main if doc.text(task.get("name")) != set_task], templates
        ),
        kills=Kills(
            _entries(notes.get(labels.KILLED)),
            doc.text(spec.get("shutdown")) in {"Terminate", "Stop"},
        ),
        image=image,
        run=_run(templates, tasks),
        install=install,
    )


def _tasks(template: Any) -> list[Mapping[str, Any]]:
    return doc.mappings(doc.inner(template, "dag").get("tasks"))


def _cell(main: list[Node], templates: Mapping[str, Node]) -> tuple[str, Node, Node]:
    """Return the name of the task that holds the set, its template, and the task that stands for every cell."""
    for task in main:
        template = templates.get(doc.text(task.get("template")), {})
        for cell in _tasks(template):
            if isinstance(cell.get("withItems"), list):
                return doc.text(task.get("name")), template, cell
    return "set", {}, {"name": "experiment"}


def _planned(
    tasks: list[Node], templates: Mapping[str, Node]
) -> tuple[PlannedJob, ...]:
    types = [doc.text(task.get("template")) for task in tasks]
    return tuple(
        _job(task, kind, templates.get(kind, {}), alone=types.count(kind) == 1)
        for task, kind in zip(tasks, types, strict=True)
    )


def _job(task: Node, kind: str, template: Node, *, alone: bool) -> PlannedJob:
    name = doc.text(task.get("name"))
    limit = doc.whole(doc.inner(template, "retryStrategy").get("limit"))
    return PlannedJob(
        task=name,
        type=kind,
        index=None
        if alone
        else doc.whole(
            doc.parameters(task.get("arguments")).get(labels.INDEX_PARAMETER)
        ),
        resources=doc.resources(doc.mapping(template.get("container"))),
        daemon=template.get("daemon") is True,
        attempts=(limit or 0) + 1,
    )


def _image(
    templates: Mapping[str, Node], tasks: list[Node]
) -> tuple[str, tuple[str, ...]]:
    """Return the image that riseml.yml names and the steps that are installed on it."""
    build = doc.named(doc.inner(templates.get("build"), "container").get("env"))
    if build:
        base, steps = (
            build.get(name, {}).get("value")
            for name in ("RISEML_BASE_IMAGE", "RISEML_INSTALL")
        )
        return doc.text(base), doc.texts(steps)
    first = templates.get(doc.text(tasks[0].get("template"))) if tasks else None
    return doc.text(doc.inner(first, "container").get("image")), ()


def _run(templates: Mapping[str, Node], tasks: list[Node]) -> tuple[str, ...]:
    """Return the user's own lines of the first job: the arguments that follow the script and its name."""
    first = templates.get(doc.text(tasks[0].get("template"))) if tasks else None
    args = doc.inner(first, "container").get("args")
    lines = (
        [line for line in args[2:] if isinstance(line, str)]
        if isinstance(args, list)
        else []
    )
    return tuple(_TAG.sub(r"{{\1}}", line).replace("$$", "$") for line in lines)


def _entries(value: Any) -> dict[str, datetime | None]:
    """Read `<cell or *>=<time>` entries; where a cell has several, the first time counts."""
    entries: dict[str, datetime | None] = {}
    for entry in doc.text(value).split(","):
        sub, found, time = entry.partition("=")
        if found and sub.strip():
            entries.setdefault(sub.strip(), doc.moment(time.strip()))
    return entries
